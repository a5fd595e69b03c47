"""The device's tables: what it keeps, sealed, and the SQL for it. Knows no socket and no session."""
