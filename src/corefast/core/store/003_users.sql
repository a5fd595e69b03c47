-- People who log in. account 0: one who administers all; epoch: in every valid token of the user, new with each
-- password; is_first: the password is one that everybody knows.
CREATE TABLE api_user (
    username TEXT PRIMARY KEY,
    account INTEGER NOT NULL,
    role TEXT NOT NULL,
    password BLOB NOT NULL,
    epoch BLOB NOT NULL,
    is_first INTEGER NOT NULL,
    made_ms INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE revoked_token (
    id BLOB PRIMARY KEY,
    account INTEGER NOT NULL,
    until_ms INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX revoked_token_until ON revoked_token (until_ms);

CREATE TABLE token_key (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    sealed BLOB NOT NULL
);
