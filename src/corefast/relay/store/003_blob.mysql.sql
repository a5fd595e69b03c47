-- The MySQL form of 003_blob.sql, where the columns are explained.

CREATE TABLE stored_blob (
    name VARBINARY(32) NOT NULL PRIMARY KEY,
    owner VARCHAR(64) NOT NULL,
    size BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    KEY stored_blob_age (at_ms)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
