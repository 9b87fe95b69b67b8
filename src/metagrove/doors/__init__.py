"""The functions that R users know, under R's names: thin, and nothing but carrying."""
