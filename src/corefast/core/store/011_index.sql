-- For what is swept by its age, and one account a number.
CREATE INDEX inbound_seen ON inbound (account, at_ms) WHERE kind = 2;
CREATE INDEX debt_age ON debt (account, made_ms);
CREATE INDEX ask_budget_age ON ask_budget (account, window_ms);
CREATE UNIQUE INDEX account_number ON account (number);
