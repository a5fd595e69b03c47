-- 0: the peer's identity key replaced another one, and the user has not accepted it.
ALTER TABLE peer ADD COLUMN is_accepted INTEGER NOT NULL DEFAULT 1;
