-- The MySQL form of 003_users.sql, where the tables are explained.

CREATE TABLE api_user (
    username VARCHAR(64) NOT NULL PRIMARY KEY,
    account INT NOT NULL,
    role VARCHAR(16) NOT NULL,
    password BLOB NOT NULL,
    epoch VARBINARY(16) NOT NULL,
    is_first INT NOT NULL,
    made_ms BIGINT NOT NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE revoked_token (
    id VARBINARY(16) NOT NULL PRIMARY KEY,
    account INT NOT NULL,
    until_ms BIGINT NOT NULL,
    KEY revoked_token_until (until_ms)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE token_key (
    id INT NOT NULL PRIMARY KEY,
    account INT NOT NULL,
    sealed BLOB NOT NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
