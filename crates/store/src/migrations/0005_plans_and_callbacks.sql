-- What the plan expected of a run before it began, to be compared with what it did.
ALTER TABLE runs ADD COLUMN expected BIGINT;

-- Messages by which systems told that they are done: none is taken twice. Kept as long as a copy could pass as new.
CREATE TABLE callbacks (
    connection_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (connection_id, message_id)
);
CREATE INDEX callbacks_by_age ON callbacks (received_at);

-- By which name a system calls the work that it was given.
CREATE INDEX operations_by_job ON operations (connection_id, job);
