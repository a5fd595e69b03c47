"""Files: encrypted once, kept at the relay, named by an id."""
