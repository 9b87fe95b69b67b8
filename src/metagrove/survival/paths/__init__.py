"""Hidden paths of one arm: what to expect of them, how likely they are, the best one and draws."""
