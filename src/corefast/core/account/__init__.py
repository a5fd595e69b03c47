"""What belongs to the whole account: its keys, its place at the relay, who may call, and housekeeping."""
