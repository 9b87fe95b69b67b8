"""What may be wrong with a reading: registered checks, each one question put to a traced plot or a whole reading."""
