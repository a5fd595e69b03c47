-- What the relay knows: who owns a number, public prekeys, and ciphertext that waits. Nothing here can decrypt anything.

CREATE TABLE number (
    number TEXT NOT NULL PRIMARY KEY,
    identity BLOB NOT NULL,
    devices_version INTEGER NOT NULL,
    shards INTEGER NOT NULL,
    pin BLOB NOT NULL DEFAULT x'',          -- salt and scrypt digest; empty: none
    pin_failures INTEGER NOT NULL DEFAULT 0,
    pin_retry_ms INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- A replaced device stays as a row without a link key: waiting items still name it as their sender.
CREATE TABLE device (
    id INTEGER NOT NULL PRIMARY KEY,
    number TEXT NOT NULL,
    device INTEGER NOT NULL,
    link_key BLOB,                          -- NULL: replaced
    registration_id INTEGER NOT NULL,
    signed_id INTEGER NOT NULL,
    signed_public BLOB NOT NULL,
    signed_signature BLOB NOT NULL,
    kem_id INTEGER NOT NULL,                -- the last resort
    kem_public BLOB NOT NULL,
    kem_signature BLOB NOT NULL,
    one_time_newest INTEGER,                -- the newest id ever uploaded: a repeated upload adds nothing
    one_time_kem_newest INTEGER
);
CREATE UNIQUE INDEX device_link_key ON device (link_key);

CREATE TABLE one_time (
    device INTEGER NOT NULL,
    position INTEGER NOT NULL,
    id INTEGER NOT NULL,
    public BLOB NOT NULL,
    PRIMARY KEY (device, position)
) WITHOUT ROWID;

CREATE TABLE one_time_kem (
    position INTEGER NOT NULL PRIMARY KEY,
    device INTEGER NOT NULL,
    id INTEGER NOT NULL,
    public BLOB NOT NULL,
    signature BLOB NOT NULL
);
CREATE INDEX one_time_kem_device ON one_time_kem (device, position);

-- The copy of an account that may send: see Attach in wire/messages.py.
CREATE TABLE attachment (
    device INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    token BLOB NOT NULL,
    commit_seq INTEGER NOT NULL,
    PRIMARY KEY (device, shard)
) WITHOUT ROWID;

CREATE TABLE code (
    number TEXT NOT NULL PRIMARY KEY,
    digest BLOB NOT NULL,
    expires_ms INTEGER NOT NULL,
    tries INTEGER NOT NULL
) WITHOUT ROWID;

-- `seq` is given out in order of arrival, so a mailbox is read in order by it and rows are appended at the end.
-- `mailbox` is the device's id * 64 + shard. `body` stands last: a scan that stops before it reads no overflow page.
CREATE TABLE item (
    seq INTEGER NOT NULL PRIMARY KEY,
    mailbox INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    sender INTEGER NOT NULL,                -- a device's id: the author, or whom a receipt is about
    at_ms INTEGER NOT NULL,
    expires_ms INTEGER,                     -- NULL: the relay's own limit after at_ms
    size INTEGER NOT NULL,
    is_receipt INTEGER NOT NULL,
    id BLOB NOT NULL,
    body BLOB NOT NULL
);
CREATE UNIQUE INDEX item_once ON item (mailbox, id, sender, is_receipt);
CREATE INDEX item_order ON item (mailbox, seq, size);
CREATE INDEX item_expiry ON item (expires_ms) WHERE expires_ms IS NOT NULL;
