-- Which identity key a message was first encrypted to (endpoint.resend.identity_mark); NULL until it was.
ALTER TABLE outbox ADD COLUMN identity BLOB;

-- Contents that are kept for a resend; an old one is emptied.
CREATE INDEX outbox_kept ON outbox (at_ms) WHERE content <> x'';

-- Messages that we could not read and ask for.
CREATE TABLE ask (
    sender   TEXT    NOT NULL,
    id       BLOB    NOT NULL,
    device   INTEGER NOT NULL,
    identity BLOB    NOT NULL,
    made_ms  INTEGER NOT NULL,
    is_due   INTEGER NOT NULL,
    PRIMARY KEY (sender, id)
) WITHOUT ROWID;

-- Messages that a device asks for; times counts its resends, so it outlives them.
CREATE TABLE debt (
    recipient TEXT    NOT NULL,
    id        BLOB    NOT NULL,
    device    INTEGER NOT NULL,
    times     INTEGER NOT NULL,
    is_due    INTEGER NOT NULL,
    made_ms   INTEGER NOT NULL,
    PRIMARY KEY (recipient, id, device)
) WITHOUT ROWID;

CREATE TABLE ask_budget (
    number     TEXT    PRIMARY KEY,
    window_ms  INTEGER NOT NULL,
    requests   INTEGER NOT NULL,
    session_ms INTEGER NOT NULL
) WITHOUT ROWID;
