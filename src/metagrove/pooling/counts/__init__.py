"""Events and denominators pooled as they are: Mantel-Haenszel, Peto and generalised linear mixed models."""
