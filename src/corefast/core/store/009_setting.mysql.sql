-- The MySQL form of 009_setting.sql, where the table is explained.

CREATE TABLE setting (
    account INT NOT NULL,
    name VARCHAR(64) NOT NULL,
    version BIGINT NOT NULL,
    sealed MEDIUMBLOB NOT NULL,
    PRIMARY KEY (account, name)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
