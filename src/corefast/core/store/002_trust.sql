-- What a peer is pinned to, and what is known of its identity key; the key itself is in `identity`, sealed.
-- is_acknowledged 0: it replaced another one, and nobody has acknowledged it. identity_after: the newest message that
-- was accepted before it was seen. is_downgraded 1: it was told that the peer's keys lack the post-quantum one.
ALTER TABLE peer ADD COLUMN pin INTEGER NOT NULL DEFAULT 0;
ALTER TABLE peer ADD COLUMN identity_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE peer ADD COLUMN identity_after INTEGER NOT NULL DEFAULT 0;
ALTER TABLE peer ADD COLUMN is_acknowledged INTEGER NOT NULL DEFAULT 1;
ALTER TABLE peer ADD COLUMN is_downgraded INTEGER NOT NULL DEFAULT 0;

-- Of a message that came under an identity key which nobody had acknowledged.
ALTER TABLE inbound ADD COLUMN identity_hash TEXT;
ALTER TABLE inbound ADD COLUMN identity_ms INTEGER;
