-- A phone's own data. Everything that is secret or was written by people is sealed (endpoint.vault) under table and key.

CREATE TABLE account (
    slot          INTEGER PRIMARY KEY CHECK (slot = 1),
    number        TEXT    NOT NULL,
    registered_ms INTEGER NOT NULL,  -- 0: the relay does not know us yet
    link_key      BLOB    NOT NULL,  -- sealed: private key of the link to the relay
    own_keys      BLOB    NOT NULL   -- sealed: identity, registration id, prekey id counters
);

CREATE TABLE prekey (
    kind    INTEGER NOT NULL,
    id      INTEGER NOT NULL,
    made_ms INTEGER NOT NULL,
    private BLOB    NOT NULL,  -- sealed
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;

CREATE TABLE peer (
    number          TEXT    PRIMARY KEY,
    devices_version INTEGER NOT NULL,  -- 0: ask the relay before the next message
    identity        BLOB    NOT NULL   -- sealed: identity key
) WITHOUT ROWID;

CREATE TABLE session (
    number   TEXT    NOT NULL,
    device   INTEGER NOT NULL,
    snapshot BLOB    NOT NULL,  -- sealed
    PRIMARY KEY (number, device)
) WITHOUT ROWID;

CREATE TABLE inbox (
    seq         INTEGER PRIMARY KEY,  -- order of arrival
    sender      TEXT    NOT NULL,
    device      INTEGER NOT NULL,
    id          BLOB    NOT NULL,
    what        INTEGER NOT NULL,  -- 1 text, 2 read receipt, 3 unreadable, 4 identity changed
    at_ms       INTEGER NOT NULL,  -- the author's clock
    received_ms INTEGER NOT NULL,
    is_shown    INTEGER NOT NULL,
    is_read     INTEGER NOT NULL,  -- 1: we told the author that it was read
    content     BLOB    NOT NULL   -- sealed
);
CREATE UNIQUE INDEX inbox_id ON inbox (id, sender);
CREATE INDEX inbox_waiting ON inbox (seq) WHERE is_shown = 0;

CREATE TABLE outbox (
    seq             INTEGER PRIMARY KEY,  -- order of acceptance
    id              BLOB    NOT NULL UNIQUE,
    recipient       TEXT    NOT NULL,
    what            INTEGER NOT NULL,  -- 1 text, 2 read receipt
    state           INTEGER NOT NULL,  -- 0 accepted, 1 encrypted, 2 sent, 3 delivered, 4 read, 5 failed, 6 expired
    at_ms           INTEGER NOT NULL,
    sent_ms         INTEGER NOT NULL DEFAULT 0,
    delivered_ms    INTEGER NOT NULL DEFAULT 0,
    read_ms         INTEGER NOT NULL DEFAULT 0,
    failure         TEXT    NOT NULL DEFAULT '',
    devices_version INTEGER NOT NULL DEFAULT 0,
    content         BLOB    NOT NULL,  -- sealed
    parts           BLOB               -- the ciphertexts, until the relay has them
);
CREATE INDEX outbox_open ON outbox (seq) WHERE state < 2;
