"""Synthetic faults in normal rows: what a detector without labels can be measured on (numpy and the core only)."""
