-- The MySQL form of 001_core.sql, where the tables are explained.

CREATE TABLE account (
    account INT NOT NULL PRIMARY KEY,
    number VARCHAR(64) NOT NULL,
    phase INT NOT NULL,
    own_keys MEDIUMBLOB NOT NULL,
    link_key BLOB NOT NULL,
    id_key BLOB NOT NULL,
    token BLOB NOT NULL,
    next_token BLOB NOT NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE lease (
    account INT NOT NULL,
    shard INT NOT NULL,
    epoch BIGINT NOT NULL,
    commit_seq BIGINT NOT NULL,
    message_floor BIGINT NOT NULL,
    event_floor BIGINT NOT NULL,
    PRIMARY KEY (account, shard)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE own_prekey (
    account INT NOT NULL,
    kind INT NOT NULL,
    id INT NOT NULL,
    made_ms BIGINT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (account, kind, id)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE peer (
    id BIGINT NOT NULL PRIMARY KEY,
    account INT NOT NULL,
    channel VARCHAR(32) NOT NULL,
    number VARCHAR(64) NOT NULL,
    devices_version BIGINT NOT NULL,
    identity BLOB NOT NULL,
    UNIQUE KEY peer_number (account, channel, number)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE session (
    id BIGINT NOT NULL PRIMARY KEY,
    account INT NOT NULL,
    registration_id INT NOT NULL,
    sealed MEDIUMBLOB NOT NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE message (
    id BIGINT NOT NULL PRIMARY KEY,
    account INT NOT NULL,
    peer BIGINT NOT NULL,
    accepted_ms BIGINT NOT NULL,
    sent_ms BIGINT,
    delivered_ms BIGINT,
    read_ms BIGINT,
    ended_ms BIGINT,
    failure INT,
    sealed MEDIUMBLOB NOT NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE outbox (
    id BIGINT NOT NULL PRIMARY KEY,
    account INT NOT NULL,
    peer BIGINT NOT NULL,
    post MEDIUMBLOB
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE inbound (
    id BIGINT NOT NULL PRIMARY KEY,
    account INT NOT NULL,
    peer BIGINT NOT NULL,
    kind INT NOT NULL,
    at_ms BIGINT NOT NULL,
    remote_id VARBINARY(64) NOT NULL,
    sealed MEDIUMBLOB,
    UNIQUE KEY inbound_remote (remote_id, peer)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE event (
    id BIGINT NOT NULL PRIMARY KEY,
    account INT NOT NULL,
    kind INT NOT NULL,
    at_ms BIGINT NOT NULL,
    peer BIGINT NOT NULL,
    ref BIGINT NOT NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE idempotency (
    digest VARBINARY(64) NOT NULL PRIMARY KEY,
    account INT NOT NULL,
    fingerprint VARBINARY(255) NOT NULL,
    message BIGINT NOT NULL,
    peer BIGINT NOT NULL,
    made_ms BIGINT NOT NULL,
    KEY idempotency_made (made_ms)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE webhook (
    account INT NOT NULL PRIMARY KEY,
    url BLOB NOT NULL,
    secret BLOB NOT NULL,
    statuses TEXT NOT NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE webhook_cursor (
    account INT NOT NULL,
    shard INT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (account, shard)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE delivery (
    id BIGINT NOT NULL PRIMARY KEY,
    account INT NOT NULL,
    peer BIGINT NOT NULL,
    phase INT NOT NULL,
    attempts INT NOT NULL,
    parked INT NOT NULL,
    first_ms BIGINT NOT NULL,
    last_ms BIGINT NOT NULL,
    next_ms BIGINT NOT NULL,
    status INT NOT NULL,
    error TEXT NOT NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE api_key (
    id VARCHAR(64) NOT NULL PRIMARY KEY,
    account INT NOT NULL,
    digest VARBINARY(64) NOT NULL,
    name BLOB NOT NULL,
    scopes TEXT NOT NULL,
    made_ms BIGINT NOT NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
