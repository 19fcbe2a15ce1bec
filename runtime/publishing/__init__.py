"""Builds and publishes all payloads, and replays them after an outage."""
