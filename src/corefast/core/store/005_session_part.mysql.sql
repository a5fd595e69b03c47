-- The MySQL form of 005_session_part.sql, where the table is explained.

CREATE TABLE session_part (
    session BIGINT NOT NULL,
    kind INT NOT NULL,
    number BIGINT NOT NULL,
    account INT NOT NULL,
    sealed MEDIUMBLOB NOT NULL,
    PRIMARY KEY (session, kind, number)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
