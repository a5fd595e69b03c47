"""From the relay's mailbox to the feed."""
