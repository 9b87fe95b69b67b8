"""Database exports in, records out: one reader for each dialect."""
