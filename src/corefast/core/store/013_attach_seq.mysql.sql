-- The MySQL form of 013_attach_seq.sql, where the column is explained.
ALTER TABLE account ADD COLUMN attach_seq BIGINT;
