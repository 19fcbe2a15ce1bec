"""Runs one sample through a detector: the numpy and the native engine."""
