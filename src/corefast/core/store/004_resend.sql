-- Which identity key a message was first encrypted to (endpoint.resend.identity_mark); NULL until it was.
ALTER TABLE message ADD COLUMN identity BLOB;

-- Messages that we could not read and ask for; id names the row of inbound.
CREATE TABLE ask (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    peer INTEGER NOT NULL,
    device INTEGER NOT NULL,
    remote_id BLOB NOT NULL,
    identity BLOB NOT NULL,
    made_ms INTEGER NOT NULL,
    is_due INTEGER NOT NULL
);

-- Messages that a device asks for; times counts its resends, so it outlives them.
CREATE TABLE debt (
    message INTEGER NOT NULL,
    device INTEGER NOT NULL,
    account INTEGER NOT NULL,
    peer INTEGER NOT NULL,
    times INTEGER NOT NULL,
    is_due INTEGER NOT NULL,
    made_ms INTEGER NOT NULL,
    PRIMARY KEY (message, peer, device)
) WITHOUT ROWID;

CREATE INDEX debt_due ON debt (peer) WHERE is_due = 1;

CREATE TABLE ask_budget (
    peer INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    window_ms INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    session_ms INTEGER NOT NULL
);
