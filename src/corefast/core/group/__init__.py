"""Groups: found, told to their members, spoken in and listened to."""
