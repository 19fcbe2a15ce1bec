"""Verifies signed model updates, and rolls them out."""
