-- Types: BIGINT for numbers, flags and times (epoch milliseconds, UTC), TEXT for ids, words, dates and JSON,
-- {blob} for hashes and sealed values. Nothing that could name a person stands here in clear.

CREATE TABLE installation (
  id           BIGINT PRIMARY KEY CHECK (id = 1),
  key_id       TEXT NOT NULL,
  key_check    {blob} NOT NULL,
  created_at   BIGINT NOT NULL
);

-- Wrapped data keys stand apart from what they seal, so that backups can keep them apart too.
CREATE TABLE data_keys (
  owner        TEXT NOT NULL,
  purpose      TEXT NOT NULL,
  key_id       TEXT NOT NULL,
  wrapped      {blob} NOT NULL,
  PRIMARY KEY (owner, purpose)
);

CREATE TABLE api_keys (
  id           TEXT PRIMARY KEY,
  name         TEXT NOT NULL,
  roles        TEXT NOT NULL,
  secret_hash  {blob} NOT NULL UNIQUE,
  created_at   BIGINT NOT NULL,
  created_by   TEXT NOT NULL,
  revoked_at   BIGINT
);

CREATE TABLE connections (
  id                   TEXT PRIMARY KEY,
  integration          TEXT NOT NULL,
  name                 TEXT NOT NULL,
  status               TEXT NOT NULL,
  account              TEXT NOT NULL,
  settings             {blob},
  deletion_completion  TEXT,
  capabilities         TEXT NOT NULL,
  permissions          TEXT NOT NULL,
  warnings             TEXT NOT NULL,
  checked_at           BIGINT,
  failing_since        BIGINT,
  created_at           BIGINT NOT NULL,
  removed_at           BIGINT
);
CREATE UNIQUE INDEX connections_by_name ON connections (name) WHERE removed_at IS NULL;

CREATE TABLE requests (
  id                  TEXT PRIMARY KEY,
  right_name          TEXT NOT NULL,
  policy              TEXT NOT NULL,
  state               TEXT NOT NULL,
  outcome             TEXT,
  hold                TEXT,
  source              TEXT NOT NULL,
  relationship        TEXT,
  review              BIGINT NOT NULL,
  delivery            TEXT NOT NULL,
  received_at         BIGINT NOT NULL,
  received_on         TEXT NOT NULL,
  due_on              TEXT NOT NULL,
  due_at              BIGINT NOT NULL,
  acknowledge_due_on  TEXT,
  clock_key           TEXT NOT NULL,
  clock_version       BIGINT NOT NULL,
  cutoff_on           TEXT,
  extended            BIGINT NOT NULL,
  unverified          BIGINT NOT NULL,
  open_runs           BIGINT NOT NULL CHECK (open_runs >= 0),
  details             {blob} NOT NULL,
  created_by          TEXT NOT NULL,
  created_at          BIGINT NOT NULL,
  closed_at           BIGINT,
  forget_content_at   BIGINT,
  forget_case_at      BIGINT
);
CREATE INDEX requests_by_state ON requests (state, id);
CREATE INDEX requests_by_due_date ON requests (due_on, id) WHERE state <> 'closed';
CREATE INDEX requests_to_forget_content ON requests (forget_content_at) WHERE forget_content_at IS NOT NULL;
CREATE INDEX requests_to_forget_case ON requests (forget_case_at) WHERE forget_case_at IS NOT NULL;

-- Keyed hashes: found by exact value, read by nobody.
CREATE TABLE request_identifiers (
  lookup       {blob} NOT NULL,
  request_id   TEXT NOT NULL,
  kind         TEXT NOT NULL,
  PRIMARY KEY (lookup, request_id)
);
CREATE INDEX request_identifiers_by_request ON request_identifiers (request_id);

CREATE TABLE runs (
  id             TEXT PRIMARY KEY,
  request_id     TEXT NOT NULL,
  connection_id  TEXT NOT NULL,
  phase          TEXT NOT NULL,
  status         TEXT NOT NULL,
  detail         TEXT NOT NULL,
  selected       BIGINT NOT NULL,
  records_found  BIGINT,
  deleted        BIGINT,
  attempts       BIGINT NOT NULL,
  next_at        BIGINT,
  residuals      TEXT NOT NULL,
  failure        {blob},
  note           {blob},
  created_at     BIGINT NOT NULL,
  settled_at     BIGINT
);
CREATE INDEX runs_by_request ON runs (request_id, id);
CREATE INDEX runs_open ON runs (status, connection_id) WHERE status IN ('not_started', 'processing', 'attention');

CREATE TABLE records (
  id            TEXT PRIMARY KEY,
  request_id    TEXT NOT NULL,
  run_id        TEXT NOT NULL,
  vendor_key    {blob} NOT NULL,
  content       {blob} NOT NULL,
  selected      BIGINT NOT NULL,
  exception     TEXT,
  deletion      TEXT
);
CREATE UNIQUE INDEX records_by_run ON records (run_id, vendor_key);
CREATE INDEX records_by_request ON records (request_id, id);

CREATE TABLE operations (
  id             TEXT PRIMARY KEY,
  connection_id  TEXT NOT NULL,
  kind           TEXT NOT NULL,
  status         TEXT NOT NULL,
  position       TEXT,
  pass           BIGINT NOT NULL,
  page           BIGINT NOT NULL,
  created_at     BIGINT NOT NULL,
  finished_at    BIGINT
);
-- A connection has at most one pass under way; whoever waits joins it.
CREATE UNIQUE INDEX operations_scanning ON operations (connection_id)
  WHERE kind = 'scan' AND status NOT IN ('done', 'failed');

CREATE TABLE operation_runs (
  run_id         TEXT NOT NULL,
  operation_id   TEXT NOT NULL,
  joined_pass    BIGINT,
  joined_page    BIGINT,
  PRIMARY KEY (run_id, operation_id)
);
CREATE INDEX operation_runs_by_operation ON operation_runs (operation_id, joined_pass);

CREATE TABLE due_work (
  id           TEXT PRIMARY KEY,
  kind         TEXT NOT NULL,
  object_id    TEXT NOT NULL,
  lane         TEXT NOT NULL,
  due_at       BIGINT NOT NULL,
  next_at      BIGINT NOT NULL,
  lease_until  BIGINT NOT NULL,
  fence        BIGINT NOT NULL,
  attempts     BIGINT NOT NULL
);
CREATE UNIQUE INDEX due_work_by_object ON due_work (object_id);
CREATE INDEX due_work_by_lane ON due_work (lane, due_at, id);
CREATE INDEX due_work_by_time ON due_work (next_at);

CREATE TABLE pace (
  account        TEXT NOT NULL,
  class          TEXT NOT NULL,
  next_slot      BIGINT NOT NULL,
  blocked_until  BIGINT NOT NULL,
  PRIMARY KEY (account, class)
);

CREATE TABLE packages (
  request_id   TEXT PRIMARY KEY,
  content      {blob} NOT NULL,
  created_at   BIGINT NOT NULL
);

CREATE TABLE idempotency_keys (
  actor        TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  fingerprint  {blob} NOT NULL,
  object_id    TEXT NOT NULL,
  created_at   BIGINT NOT NULL,
  PRIMARY KEY (actor, idempotency_key)
);

-- The audit log. `audit_log` has one row; whoever appends holds it until commit, so positions are given in the
-- order of commits and a seal over "up to position N" can never miss a late one.
CREATE TABLE audit_log (
  id           BIGINT PRIMARY KEY CHECK (id = 1),
  events       BIGINT NOT NULL
);
INSERT INTO audit_log (id, events) VALUES (1, 0);

CREATE TABLE audit_events (
  position         BIGINT PRIMARY KEY,
  id               TEXT NOT NULL,
  stream           TEXT NOT NULL,
  stream_position  BIGINT NOT NULL,
  at               BIGINT NOT NULL,
  actor            TEXT NOT NULL,
  kind             TEXT NOT NULL,
  object_id        TEXT NOT NULL,
  data             TEXT NOT NULL,
  key_id           TEXT NOT NULL,
  previous_hash    {blob} NOT NULL,
  hash             {blob} NOT NULL
);
CREATE UNIQUE INDEX audit_events_by_stream ON audit_events (stream, stream_position);

CREATE TABLE audit_streams (
  stream       TEXT PRIMARY KEY,
  events       BIGINT NOT NULL,
  head         {blob} NOT NULL,
  key_id       TEXT NOT NULL,
  mac          {blob} NOT NULL
);

CREATE TABLE audit_seals (
  number         BIGINT PRIMARY KEY,
  first_position BIGINT NOT NULL,
  last_position  BIGINT NOT NULL,
  at             BIGINT NOT NULL,
  root           {blob} NOT NULL,
  previous_hash  {blob} NOT NULL,
  hash           {blob} NOT NULL,
  public_key     {blob} NOT NULL,
  signature      {blob} NOT NULL
);
