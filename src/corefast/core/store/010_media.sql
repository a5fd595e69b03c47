-- Files; direction: 1 ours, 2 a customer's. inbound, peer: rows, of the message that brought it; is_wanted: to be fetched.
CREATE TABLE media (
    id TEXT PRIMARY KEY,
    account INTEGER NOT NULL,
    direction INTEGER NOT NULL,
    made_ms INTEGER NOT NULL,
    used_ms INTEGER NOT NULL,
    inbound INTEGER NOT NULL,
    peer INTEGER NOT NULL,
    is_wanted INTEGER NOT NULL,
    sealed BLOB NOT NULL
) WITHOUT ROWID;

CREATE INDEX media_age ON media (account, direction, used_ms);
CREATE INDEX media_wanted ON media (account, is_wanted, made_ms);
