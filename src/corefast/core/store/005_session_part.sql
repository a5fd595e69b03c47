-- What changes seldom in a session (id of its row): kind 1 an archived session, 2 a block of skipped keys.
-- With rowids: rows of 1 to 2 KB share pages there, and overflow them without.

CREATE TABLE session_part (
    session INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    number INTEGER NOT NULL,
    account INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (session, kind, number)
);
