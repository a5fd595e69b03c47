-- What changes seldom in a session: kind 1 an archived session, 2 a block of skipped keys.
-- With rowids: rows of 1 to 2 KB share pages there, and overflow them without.

CREATE TABLE session_part (
    peer    TEXT    NOT NULL,
    device  INTEGER NOT NULL,
    kind    INTEGER NOT NULL,
    number  INTEGER NOT NULL,
    content BLOB    NOT NULL,  -- sealed
    PRIMARY KEY (peer, device, kind, number)
);
