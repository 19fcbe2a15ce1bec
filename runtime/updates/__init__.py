"""Accept, try and install signed model updates."""
