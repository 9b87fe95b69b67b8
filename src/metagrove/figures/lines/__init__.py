"""Lines in pictures: evidence for each arm, the paths through it, and the step curves on them."""
