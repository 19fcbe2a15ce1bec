"""Other ways to save compute: a constant share, random or learned skipping, change thresholds, small matrices."""
