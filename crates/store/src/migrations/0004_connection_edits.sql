-- What served a capability before it was changed: runs that were planned then keep their way.
ALTER TABLE connections ADD COLUMN earlier_capabilities TEXT NOT NULL DEFAULT '[]';

-- A mail is about a request or about a connection, and sealed with its key.
ALTER TABLE mails RENAME COLUMN request_id TO about;
