"""Linear models with one effect per row: moderators, their tests, predictions and diagnostics."""
