-- Groups. `said` is the id of a message in a group, the same for all its members; in inbox.what, 6 is news of a group.

CREATE TABLE known_group (
    id      BLOB PRIMARY KEY,
    founder TEXT NOT NULL,
    content BLOB NOT NULL  -- sealed: the roster, and who left since
) WITHOUT ROWID;

-- Our own sender key.
CREATE TABLE group_chain (
    id       BLOB    PRIMARY KEY,
    is_stale INTEGER NOT NULL,  -- 1: somebody left; the next message begins a new one
    snapshot BLOB    NOT NULL   -- sealed
) WITHOUT ROWID;

-- From where on a member's devices, those of list devices_version, can read our chain.
CREATE TABLE group_given (
    number          TEXT    NOT NULL,
    id              BLOB    NOT NULL,
    chain_id        INTEGER NOT NULL,
    iteration       INTEGER NOT NULL,
    devices_version INTEGER NOT NULL,
    PRIMARY KEY (number, id)
) WITHOUT ROWID;
CREATE INDEX group_given_id ON group_given (id);

-- Sender keys of the members.
CREATE TABLE group_sender (
    number   TEXT    NOT NULL,
    id       BLOB    NOT NULL,
    device   INTEGER NOT NULL,
    snapshot BLOB    NOT NULL,  -- sealed
    PRIMARY KEY (number, id, device)
);

-- Messages of ours under our sender key, as long as the relay does not have them for every member.
CREATE TABLE group_cipher (
    said      BLOB    PRIMARY KEY,
    chain_id  INTEGER NOT NULL,
    iteration INTEGER NOT NULL,
    body      BLOB    NOT NULL
);

-- Devices of our number that were told of our groups.
CREATE TABLE group_introduced (device INTEGER PRIMARY KEY);

ALTER TABLE inbox ADD COLUMN said BLOB;
ALTER TABLE inbox ADD COLUMN group_id BLOB;
CREATE UNIQUE INDEX inbox_said ON inbox (said, sender) WHERE said IS NOT NULL;
ALTER TABLE outbox ADD COLUMN said BLOB;
ALTER TABLE outbox ADD COLUMN group_id BLOB;
CREATE INDEX outbox_said ON outbox (said) WHERE said IS NOT NULL;
