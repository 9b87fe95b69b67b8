"""Which arms a plot shows: legend, names and inks, and what is cleared away before tracing."""
