-- Encrypted files; owner: the number that put it last, at_ms: since when it is kept.
CREATE TABLE stored_blob (
    name BLOB NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    size INTEGER NOT NULL,
    at_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX stored_blob_age ON stored_blob (at_ms);
