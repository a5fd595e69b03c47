"""From the business to the relay: lanes, sessions, the outbox and the states that come back."""
