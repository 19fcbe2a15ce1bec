"""Counts and logs what the service does, and answers status requests."""
