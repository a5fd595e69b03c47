-- Ids are (shard << 48 | sequence): sequential rows, and each row knows its shard.

CREATE TABLE account (
    account INTEGER PRIMARY KEY,
    number TEXT NOT NULL,
    phase INTEGER NOT NULL,
    own_keys BLOB NOT NULL,
    link_key BLOB NOT NULL,
    id_key BLOB NOT NULL,
    token BLOB NOT NULL,
    next_token BLOB NOT NULL
);

CREATE TABLE lease (
    account INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    commit_seq INTEGER NOT NULL,
    message_floor INTEGER NOT NULL,
    event_floor INTEGER NOT NULL,
    PRIMARY KEY (account, shard)
) WITHOUT ROWID;

CREATE TABLE own_prekey (
    account INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    id INTEGER NOT NULL,
    made_ms INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (account, kind, id)
) WITHOUT ROWID;

CREATE TABLE peer (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    channel TEXT NOT NULL,
    number TEXT NOT NULL,
    devices_version INTEGER NOT NULL,
    identity BLOB NOT NULL,
    UNIQUE (account, channel, number)
);

-- id is (peer << 8 | device)
CREATE TABLE session (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    registration_id INTEGER NOT NULL,
    sealed BLOB NOT NULL
);

CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    peer INTEGER NOT NULL,
    accepted_ms INTEGER NOT NULL,
    sent_ms INTEGER,
    delivered_ms INTEGER,
    read_ms INTEGER,
    ended_ms INTEGER,
    failure INTEGER,
    sealed BLOB NOT NULL
);

-- Messages without a result from the relay; post is NULL until there is a ciphertext.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    peer INTEGER NOT NULL,
    post BLOB
);

CREATE TABLE inbound (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    peer INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    remote_id BLOB NOT NULL,
    sealed BLOB
);

CREATE UNIQUE INDEX inbound_remote ON inbound (remote_id, peer);

-- id is the position in the feed; ref names a message or an inbound row, as the kind says.
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    peer INTEGER NOT NULL,
    ref INTEGER NOT NULL
);

CREATE TABLE idempotency (
    digest BLOB PRIMARY KEY,
    account INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,
    message INTEGER NOT NULL,
    peer INTEGER NOT NULL,
    made_ms INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX idempotency_made ON idempotency (made_ms);

CREATE TABLE webhook (
    account INTEGER PRIMARY KEY,
    url BLOB NOT NULL,
    secret BLOB NOT NULL,
    statuses TEXT NOT NULL
);

CREATE TABLE webhook_cursor (
    account INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (account, shard)
) WITHOUT ROWID;

-- Events whose delivery failed at least once; the cursor passes over them.
CREATE TABLE delivery (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    peer INTEGER NOT NULL,
    phase INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    parked INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    next_ms INTEGER NOT NULL,
    status INTEGER NOT NULL,
    error TEXT NOT NULL
);

CREATE TABLE api_key (
    id TEXT PRIMARY KEY,
    account INTEGER NOT NULL,
    digest BLOB NOT NULL,
    name BLOB NOT NULL,
    scopes TEXT NOT NULL,
    made_ms INTEGER NOT NULL
) WITHOUT ROWID;
