-- The commit number to attach with; NULL while the relay knows us by a later one. A copy of the database that commits
-- on its own must not catch up with the original: it names what it began with until the relay has agreed.
ALTER TABLE account ADD COLUMN attach_seq INTEGER;
