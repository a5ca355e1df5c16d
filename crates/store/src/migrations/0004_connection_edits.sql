-- What served a capability before it was changed: runs that were planned then keep their way.
ALTER TABLE connections ADD COLUMN earlier_capabilities TEXT NOT NULL DEFAULT '[]';
