"""Other ways to save: a constant share, chance, whole steps, thresholds on changes, small matrices."""
