-- Processes that carry out work: who is alive, and what each has under way.
CREATE TABLE workers (
  id          TEXT PRIMARY KEY,
  name        TEXT NOT NULL,
  version     TEXT NOT NULL,
  places      BIGINT NOT NULL,
  state       TEXT NOT NULL,
  under_way   TEXT NOT NULL,
  done        BIGINT NOT NULL,
  started_at  BIGINT NOT NULL,
  seen_at     BIGINT NOT NULL
);
