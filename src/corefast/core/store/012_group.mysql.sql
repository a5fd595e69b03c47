-- The MySQL form of 012_group.sql, where the tables are explained.

CREATE TABLE chat_group (
    account INT NOT NULL,
    name VARBINARY(16) NOT NULL,
    made_ms BIGINT NOT NULL,
    sealed MEDIUMBLOB NOT NULL,
    PRIMARY KEY (account, name)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE group_chain (
    account INT NOT NULL,
    name VARBINARY(16) NOT NULL,
    serial BIGINT NOT NULL,
    is_stale INT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (account, name)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE group_peer (
    peer BIGINT NOT NULL,
    device INT NOT NULL,
    name VARBINARY(16) NOT NULL,
    account INT NOT NULL,
    sealed MEDIUMBLOB NOT NULL,
    PRIMARY KEY (peer, device, name)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE group_leave (
    account INT NOT NULL,
    name VARBINARY(16) NOT NULL,
    number VARCHAR(64) NOT NULL,
    PRIMARY KEY (account, name, number)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE group_message (
    id BIGINT NOT NULL PRIMARY KEY,
    account INT NOT NULL,
    name VARBINARY(16) NOT NULL,
    accepted_ms BIGINT NOT NULL,
    quiet INT NOT NULL,
    sealed MEDIUMBLOB NOT NULL,
    KEY group_message_age (account, accepted_ms)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE group_part (
    group_message BIGINT NOT NULL,
    peer BIGINT NOT NULL,
    message BIGINT NOT NULL,
    PRIMARY KEY (group_message, peer),
    UNIQUE KEY group_part_message (message)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE group_inbound (
    peer BIGINT NOT NULL,
    said VARBINARY(255) NOT NULL,
    account INT NOT NULL,
    name VARBINARY(16) NOT NULL,
    inbound BIGINT NOT NULL,
    PRIMARY KEY (peer, said),
    UNIQUE KEY group_inbound_row (inbound),
    KEY group_inbound_said (said)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
