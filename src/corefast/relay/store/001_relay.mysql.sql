-- The MySQL form of 001_relay.sql, where the tables are explained. What a peer sends is bounded before it gets here.

CREATE TABLE number (
    number VARCHAR(64) NOT NULL PRIMARY KEY,
    identity VARBINARY(64) NOT NULL,
    devices_version BIGINT NOT NULL,
    shards INT NOT NULL,
    pin VARBINARY(255) NOT NULL DEFAULT '',
    pin_failures INT NOT NULL DEFAULT 0,
    pin_retry_ms BIGINT NOT NULL DEFAULT 0
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE device (
    id BIGINT NOT NULL PRIMARY KEY,
    number VARCHAR(64) NOT NULL,
    device INT NOT NULL,
    link_key VARBINARY(64),
    registration_id INT NOT NULL,
    signed_id INT NOT NULL,
    signed_public VARBINARY(64) NOT NULL,
    signed_signature VARBINARY(64) NOT NULL,
    kem_id INT NOT NULL,
    kem_public VARBINARY(2048) NOT NULL,
    kem_signature VARBINARY(64) NOT NULL,
    one_time_newest INT,
    one_time_kem_newest INT,
    UNIQUE KEY device_link_key (link_key),
    KEY device_number (number)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE one_time (
    device BIGINT NOT NULL,
    position BIGINT NOT NULL,
    id INT NOT NULL,
    public VARBINARY(64) NOT NULL,
    PRIMARY KEY (device, position)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE one_time_kem (
    position BIGINT NOT NULL PRIMARY KEY,
    device BIGINT NOT NULL,
    id INT NOT NULL,
    public VARBINARY(2048) NOT NULL,
    signature VARBINARY(64) NOT NULL,
    KEY one_time_kem_device (device, position)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE attachment (
    device BIGINT NOT NULL,
    shard INT NOT NULL,
    token VARBINARY(64) NOT NULL,
    commit_seq BIGINT NOT NULL,
    PRIMARY KEY (device, shard)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE code (
    number VARCHAR(64) NOT NULL PRIMARY KEY,
    digest VARBINARY(64) NOT NULL,
    expires_ms BIGINT NOT NULL,
    tries INT NOT NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE item (
    seq BIGINT NOT NULL PRIMARY KEY,
    mailbox BIGINT NOT NULL,
    kind INT NOT NULL,
    sender BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    expires_ms BIGINT,
    size INT NOT NULL,
    is_receipt INT NOT NULL,
    id VARBINARY(64) NOT NULL,
    body MEDIUMBLOB NOT NULL,
    UNIQUE KEY item_once (mailbox, id, sender, is_receipt),
    KEY item_order (mailbox, seq, size),
    KEY item_expiry (expires_ms)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
