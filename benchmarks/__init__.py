"""Speed and start-up, as ratios against peers measured in the same run."""
