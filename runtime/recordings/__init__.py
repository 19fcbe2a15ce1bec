"""Score, record and replay recordings."""
