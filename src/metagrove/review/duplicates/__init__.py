"""Which records tell of the same work, and why."""
