"""From frames, tick marks and printed labels to the scales of a plot."""
