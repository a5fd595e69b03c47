-- quiet: of our own making (a read mark), so neither told nor looked up; expires_ms: 0 for the relay's own limit;
-- extra: what else the business gave (core.store.messages.Extra), sealed, where it gave something.
ALTER TABLE message ADD COLUMN quiet INTEGER NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN expires_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN extra BLOB;

-- When the business read it.
ALTER TABLE inbound ADD COLUMN read_ms INTEGER;

CREATE INDEX inbound_unread ON inbound (peer, id) WHERE read_ms IS NULL AND kind = 1;
