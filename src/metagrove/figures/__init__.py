"""Images and PDF pages in, survival curves out."""
