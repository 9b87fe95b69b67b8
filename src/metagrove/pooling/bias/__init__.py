"""What is missing or odd among the studies: small-study effects, selection, outliers."""
