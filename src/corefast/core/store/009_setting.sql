-- Small things that are set: one sealed value a name. account 0 holds what belongs to all of them; version changes with
-- every write, so that whoever keeps a copy sees that it is old.
CREATE TABLE setting (
    account INTEGER NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;
