-- Several devices of a number. Ids of devices are never given twice within an account: `last_device` only grows.

ALTER TABLE number ADD COLUMN last_device INTEGER NOT NULL DEFAULT 1;
ALTER TABLE device ADD COLUMN seen_ms INTEGER NOT NULL DEFAULT 0;      -- when it attached last, to a day; 0: not known
ALTER TABLE device ADD COLUMN is_unlinked INTEGER NOT NULL DEFAULT 0;  -- 1: gone while the number's other devices stay
CREATE INDEX device_number ON device (number);
