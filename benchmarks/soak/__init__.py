"""Runs the service for long with real processes: nothing may be lost and nothing may grow."""
