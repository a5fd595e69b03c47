-- The MySQL form of 002_trust.sql, where the columns are explained.

ALTER TABLE peer
    ADD COLUMN pin INT NOT NULL DEFAULT 0,
    ADD COLUMN identity_ms BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN identity_after BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN is_acknowledged INT NOT NULL DEFAULT 1,
    ADD COLUMN is_downgraded INT NOT NULL DEFAULT 0;

ALTER TABLE inbound
    ADD COLUMN identity_hash VARCHAR(64),
    ADD COLUMN identity_ms BIGINT;
