"""What a figure and a paper say of one arm: the curve as steps, and every printed fact."""
