-- The MySQL form of 004_resend.sql, where the tables are explained.

ALTER TABLE message ADD COLUMN identity VARBINARY(16);

CREATE TABLE ask (
    id BIGINT NOT NULL PRIMARY KEY,
    account INT NOT NULL,
    peer BIGINT NOT NULL,
    device INT NOT NULL,
    remote_id VARBINARY(255) NOT NULL,
    identity VARBINARY(16) NOT NULL,
    made_ms BIGINT NOT NULL,
    is_due INT NOT NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE debt (
    message BIGINT NOT NULL,
    device INT NOT NULL,
    account INT NOT NULL,
    peer BIGINT NOT NULL,
    times INT NOT NULL,
    is_due INT NOT NULL,
    made_ms BIGINT NOT NULL,
    PRIMARY KEY (message, peer, device),
    KEY debt_due (peer, is_due)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE ask_budget (
    peer BIGINT NOT NULL PRIMARY KEY,
    account INT NOT NULL,
    window_ms BIGINT NOT NULL,
    requests INT NOT NULL,
    session_ms BIGINT NOT NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
