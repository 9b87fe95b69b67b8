"""Strokes of drawings: outlined lines and dashes put together, the staircases among them, and what is left over."""
