"""Random and spoiled messages against the codecs and the service's handler: scripts/fuzz, and briefly in the suite."""
