"""Implements rivals that save compute by a constant share, random or learned skipping, thresholds, small matrices."""
