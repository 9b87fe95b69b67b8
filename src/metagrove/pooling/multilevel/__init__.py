"""Linear models with nested, crossed or correlated effects."""
