-- The MySQL form of 010_media.sql, where the table is explained.

CREATE TABLE media (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    account INT NOT NULL,
    direction INT NOT NULL,
    made_ms BIGINT NOT NULL,
    used_ms BIGINT NOT NULL,
    inbound BIGINT NOT NULL,
    peer BIGINT NOT NULL,
    is_wanted INT NOT NULL,
    sealed BLOB NOT NULL,
    KEY media_age (account, direction, used_ms),
    KEY media_wanted (account, is_wanted, made_ms)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
