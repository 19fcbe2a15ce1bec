"""Injects synthetic faults into normal rows, to measure a detector without labels."""
