-- The MySQL form of 007_message_more.sql, where the columns are explained.

ALTER TABLE message
    ADD COLUMN quiet INT NOT NULL DEFAULT 0, ADD COLUMN expires_ms BIGINT NOT NULL DEFAULT 0, ADD COLUMN extra BLOB;

ALTER TABLE inbound ADD COLUMN read_ms BIGINT, ADD KEY inbound_unread (peer, id);
