"""Shared by several tests: small seeded detectors, recordings, processes."""
