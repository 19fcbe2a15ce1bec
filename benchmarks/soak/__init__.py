"""Runs the service for a long time as real processes, and checks that no result is lost and no memory grows."""
