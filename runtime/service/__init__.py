"""The running service: handles each message, and acknowledges it when its effect is safe."""
