-- When we stored the event, by our own clock; 0: a program of the schema before did, which knew only the relay's time.
ALTER TABLE event ADD COLUMN made_ms BIGINT NOT NULL DEFAULT 0;
