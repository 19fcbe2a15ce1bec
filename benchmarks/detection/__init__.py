"""Measures detection on all development sets with one default configuration: methods × series × seeds, and tables."""
