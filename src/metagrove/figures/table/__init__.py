"""The printed numbers at risk: rows and cells, whose they are, and which are doubted."""
