"""Scores, records and replays recordings."""
