"""Templates: what a business keeps of them, and what becomes of one that is sent."""
