"""Injects synthetic faults into normal rows, so that a detector can be measured without labels."""
