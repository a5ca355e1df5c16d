-- Work that waits for its time stands apart from work that may be done: a million reminders that are due in a week cost
-- nothing when somebody looks for something to do. Whoever claims from a lane takes over what has become due in it.
ALTER TABLE due_work ADD COLUMN waits BIGINT NOT NULL DEFAULT 1;
DROP INDEX due_work_by_lane;
CREATE INDEX due_work_ready ON due_work (lane, due_at, id) WHERE waits = 0;
CREATE INDEX due_work_waiting ON due_work (next_at, lane) WHERE waits = 1;

-- What is written to prove that there is room on the disk.
ALTER TABLE installation ADD COLUMN room {blob};
