-- Several devices of a number. In inbox.what and outbox.what, 5 is what another device of ours sent, or a copy for it.

ALTER TABLE account ADD COLUMN device INTEGER NOT NULL DEFAULT 1;    -- ours; 0: the relay has not linked us yet
ALTER TABLE account ADD COLUMN meeting BLOB NOT NULL DEFAULT x'';    -- the relay's slot, while device is 0
ALTER TABLE account ADD COLUMN name BLOB NOT NULL DEFAULT x'';       -- sealed: the first device's profile name
ALTER TABLE account ADD COLUMN others INTEGER NOT NULL DEFAULT 0;    -- how many further devices our number has
