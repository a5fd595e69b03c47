-- The MySQL form of 002_linking.sql, where the columns are explained; its index is in 001 already.

ALTER TABLE number ADD COLUMN last_device INT NOT NULL DEFAULT 1;
ALTER TABLE device ADD COLUMN seen_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE device ADD COLUMN is_unlinked INT NOT NULL DEFAULT 0;
