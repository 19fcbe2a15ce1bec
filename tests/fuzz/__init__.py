"""Random and mutated messages against the codecs and the service's handler: scripts/fuzz, and briefly in the suite."""
