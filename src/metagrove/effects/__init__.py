"""Arms in, one effect with its variance out."""
