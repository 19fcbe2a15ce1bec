"""The running service: routes each message and acknowledges it."""
