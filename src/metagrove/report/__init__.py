"""Results and the folder in, a report out."""
