"""The review folder: the only room that reads and writes it."""
