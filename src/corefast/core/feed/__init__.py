"""Events, for those who read them with a cursor and for the webhook."""
