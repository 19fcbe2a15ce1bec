"""Build and publish the payloads."""
