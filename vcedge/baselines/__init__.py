"""Provides simple detectors as baselines for the network, each family in one file of readable numpy."""
