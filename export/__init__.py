"""Writers of exported graphs."""
