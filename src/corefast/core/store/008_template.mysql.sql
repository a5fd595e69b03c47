-- The MySQL form of 008_template.sql, where the table is explained.

CREATE TABLE template (
    account INT NOT NULL,
    id BIGINT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (account, id)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
