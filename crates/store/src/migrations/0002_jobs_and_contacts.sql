-- Jobs that vendors work on, and people at a system's owner who answer.

-- The vendor's own id of the job that serves an operation; when it was first sent and accepted; how many identifiers
-- it carries, for quotas that vendors count by the month.
ALTER TABLE operations ADD COLUMN job TEXT;
ALTER TABLE operations ADD COLUMN sent_at BIGINT;
ALTER TABLE operations ADD COLUMN accepted_at BIGINT;
ALTER TABLE operations ADD COLUMN identifiers BIGINT NOT NULL DEFAULT 0;
-- For how many runs it was sent: what the vendor writes about a job may be about any of them.
ALTER TABLE operations ADD COLUMN sent_for BIGINT NOT NULL DEFAULT 0;
-- A connection's jobs are looked at together, by one operation that is never over: it is due as long as there are jobs.
CREATE UNIQUE INDEX operations_following ON operations (connection_id) WHERE kind = 'follow';
CREATE INDEX operations_accepted ON operations (connection_id, id) WHERE kind = 'erase' AND status = 'accepted';
-- What is not sent yet may still be joined.
CREATE INDEX operations_gathering ON operations (connection_id, id) WHERE kind = 'erase' AND status = 'intended';
CREATE INDEX operations_by_month ON operations (connection_id, sent_at) WHERE kind = 'erase' AND sent_at IS NOT NULL;

ALTER TABLE runs ADD COLUMN vendor_job TEXT;
-- Whom the run was handed over to, and what they answered; sealed with the case key.
ALTER TABLE runs ADD COLUMN contact {blob};
ALTER TABLE runs ADD COLUMN answer {blob};

-- Who answers for a connection's system; the address is sealed with the connection's key.
ALTER TABLE connections ADD COLUMN contact {blob};
ALTER TABLE connections ADD COLUMN contact_seconds BIGINT;
ALTER TABLE connections ADD COLUMN contact_on_expiry TEXT;
