-- What a million requests at once need: answers that can be given again, counts that nobody has to count, and lists
-- that read what they show.

-- What became of each request of a bulk call with an Idempotency-Key, a part of at most 500 in a row. The key is kept
-- as a keyed hash: whoever sends it may have made it from what is in the call.
CREATE TABLE bulk_answers (
  key_hash     {blob} NOT NULL,
  part         BIGINT NOT NULL,
  fingerprint  {blob} NOT NULL,
  answer       {blob} NOT NULL,
  created_at   BIGINT NOT NULL,
  PRIMARY KEY (key_hash, part)
);
CREATE INDEX bulk_answers_by_age ON bulk_answers (created_at);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- How many requests are in each state and open runs in each status, kept by the units that move them.
CREATE TABLE counts (
  thing   TEXT NOT NULL,
  word    TEXT NOT NULL,
  amount  BIGINT NOT NULL,
  PRIMARY KEY (thing, word)
);
INSERT INTO counts (thing, word, amount) SELECT 'requests', state, count(*) FROM requests GROUP BY state;
INSERT INTO counts (thing, word, amount)
  SELECT 'runs', status, count(*) FROM runs WHERE status IN ('not_started', 'processing', 'attention') GROUP BY status;

-- Every list is a merge of ordered pieces of one of these, one piece per state and right.
DROP INDEX requests_by_state;
CREATE INDEX requests_by_state ON requests (state, right_name, id);
DROP INDEX requests_by_due_date;
CREATE INDEX requests_by_due_date ON requests (state, right_name, due_on, id) WHERE state <> 'closed';

-- Counting was all that it was for; few runs ever need a person.
DROP INDEX runs_open;
CREATE INDEX runs_in_attention ON runs (request_id) WHERE status = 'attention';
