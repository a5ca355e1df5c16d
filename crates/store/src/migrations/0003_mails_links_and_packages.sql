-- Mails to people, the links in them, and packages that lie outside of the database.

-- Recipient, subject and text are sealed with the case key of the request.
CREATE TABLE mails (
  id          TEXT PRIMARY KEY,
  request_id  TEXT NOT NULL,
  kind        TEXT NOT NULL,
  audience    TEXT NOT NULL,
  state       TEXT NOT NULL,
  attempts    BIGINT NOT NULL,
  content     {blob} NOT NULL,
  problem_code TEXT,
  problem     TEXT,
  created_at  BIGINT NOT NULL,
  sent_at     BIGINT
);
CREATE INDEX mails_by_request ON mails (request_id, id);
CREATE INDEX mails_failed ON mails (request_id) WHERE state = 'failed';
CREATE INDEX mails_queued ON mails (id) WHERE state IN ('queued', 'sending');

-- Only keyed hashes of tokens, codes and grants.
CREATE TABLE links (
  id               TEXT PRIMARY KEY,
  token_hash       {blob} NOT NULL UNIQUE,
  purpose          TEXT NOT NULL,
  request_id       TEXT NOT NULL,
  run_id           TEXT,
  created_at       BIGINT NOT NULL,
  expires_at       BIGINT NOT NULL,
  used_at          BIGINT,
  -- The one-time code of a download, and how many were mailed and tried in the current window.
  code_hash        {blob},
  code_until       BIGINT,
  codes_tried      BIGINT NOT NULL DEFAULT 0,
  codes_sent       BIGINT NOT NULL DEFAULT 0,
  codes_since      BIGINT,
  -- Whoever gave the code may download until then.
  grant_hash       {blob},
  grant_until      BIGINT
);
CREATE INDEX links_by_request ON links (request_id, id);

-- A small package lies in `content`; a large one under its object's id, once it is built.
ALTER TABLE packages ADD COLUMN object_id TEXT;
ALTER TABLE packages ADD COLUMN bytes BIGINT;
ALTER TABLE packages ADD COLUMN sha256 {blob};
ALTER TABLE packages ADD COLUMN problem TEXT;
-- How many bytes were handed over without a gap from the beginning, and when all of them were.
ALTER TABLE packages ADD COLUMN handed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE packages ADD COLUMN delivered_at BIGINT;

-- What lies in the storage, or is about to.
CREATE TABLE objects (
  id          TEXT PRIMARY KEY,
  request_id  TEXT NOT NULL,
  state       TEXT NOT NULL,
  bytes       BIGINT,
  created_at  BIGINT NOT NULL
);
CREATE INDEX objects_by_request ON objects (request_id);
CREATE INDEX objects_to_sweep ON objects (created_at) WHERE state <> 'kept';
