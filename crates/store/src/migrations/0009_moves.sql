-- Whether this database's installation is being moved: out of it (leaving, left) or into it (arriving, arrived).
CREATE TABLE moves (
  id            BIGINT PRIMARY KEY CHECK (id = 1),
  state         TEXT NOT NULL,
  -- The same on both sides of one move, and other in every attempt that begins afresh.
  token         TEXT NOT NULL,
  -- Which installation it is: a hash of its key check.
  installation  TEXT NOT NULL,
  -- The other side, without user and password.
  place         TEXT NOT NULL,
  -- The version of the schema in which rows are carried.
  version       BIGINT NOT NULL,
  at            BIGINT NOT NULL
);

-- How far a move into this database has come: written with the rows themselves.
CREATE TABLE moved_tables (
  name          TEXT PRIMARY KEY,
  row_count     BIGINT NOT NULL,
  digest        {blob} NOT NULL,
  -- The key of the last row that is here, as JSON.
  last_key      TEXT,
  complete      BIGINT NOT NULL
);
