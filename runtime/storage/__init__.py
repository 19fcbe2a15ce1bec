"""Stores files below state_dir: snapshots, results that wait, models."""
