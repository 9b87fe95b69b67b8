"""What files hold: pages of strokes and words, and pictures put upright."""
