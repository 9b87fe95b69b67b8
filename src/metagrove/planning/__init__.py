"""An estimate in, the next trial out."""
