-- The MySQL form of 011_index.sql.
ALTER TABLE inbound ADD KEY inbound_seen (account, kind, at_ms);
ALTER TABLE debt ADD KEY debt_age (account, made_ms);
ALTER TABLE ask_budget ADD KEY ask_budget_age (account, window_ms);
ALTER TABLE account ADD UNIQUE KEY account_number (number);
