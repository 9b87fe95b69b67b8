"""Effects in, one estimate with its doubts out."""
