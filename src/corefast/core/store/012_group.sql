-- Groups; sealed: endpoint.group.Group. name: 16 bytes, the same for all members.
CREATE TABLE chat_group (
    account INTEGER NOT NULL,
    name BLOB NOT NULL,
    made_ms INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;

-- Our own chain in a group; serial: which one it is; is_stale: before the next message a new one is to begin.
CREATE TABLE group_chain (
    account INTEGER NOT NULL,
    name BLOB NOT NULL,
    serial INTEGER NOT NULL,
    is_stale INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;

-- What a peer has of our chain (device 0), and what we have of those of its devices.
CREATE TABLE group_peer (
    peer INTEGER NOT NULL,
    device INTEGER NOT NULL,
    name BLOB NOT NULL,
    account INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (peer, device, name)
) WITHOUT ROWID;

-- Members that left a group of ours and still stand in its roster.
CREATE TABLE group_leave (
    account INTEGER NOT NULL,
    name BLOB NOT NULL,
    number TEXT NOT NULL,
    PRIMARY KEY (account, name, number)
) WITHOUT ROWID;

-- Messages to groups; id is of the sequence of messages. For each member there is a message without a body.
CREATE TABLE group_message (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    name BLOB NOT NULL,
    accepted_ms INTEGER NOT NULL,
    quiet INTEGER NOT NULL,
    sealed BLOB NOT NULL
);

CREATE INDEX group_message_age ON group_message (account, accepted_ms);

CREATE TABLE group_part (
    group_message INTEGER NOT NULL,
    peer INTEGER NOT NULL,
    message INTEGER NOT NULL,
    PRIMARY KEY (group_message, peer)
) WITHOUT ROWID;

CREATE UNIQUE INDEX group_part_message ON group_part (message);

-- Messages of groups by the ids that all members know; inbound: the row that shows it.
CREATE TABLE group_inbound (
    peer INTEGER NOT NULL,
    said BLOB NOT NULL,
    account INTEGER NOT NULL,
    name BLOB NOT NULL,
    inbound INTEGER NOT NULL,
    PRIMARY KEY (peer, said)
) WITHOUT ROWID;

CREATE UNIQUE INDEX group_inbound_row ON group_inbound (inbound);
CREATE INDEX group_inbound_said ON group_inbound (said);
