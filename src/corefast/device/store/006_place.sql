-- Our place at the relay, which an older copy of this home must not take: see Attach in wire/messages.py.

ALTER TABLE account ADD COLUMN token      BLOB    NOT NULL DEFAULT x'';  -- by which the relay knows this copy
ALTER TABLE account ADD COLUMN next_token BLOB    NOT NULL DEFAULT x'';  -- on its way to the relay; empty: none is
ALTER TABLE account ADD COLUMN commit_seq INTEGER NOT NULL DEFAULT 0;    -- attaches and commits that encrypted something, so far
