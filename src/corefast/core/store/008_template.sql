-- Templates of an account; which name and language a row has is inside.
CREATE TABLE template (
    account INTEGER NOT NULL,
    id INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (account, id)
);
