"""Counters, logs, and who asks the service for them."""
