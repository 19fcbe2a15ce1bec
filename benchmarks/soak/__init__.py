"""Long runs of the service with real processes, in which nothing may be lost and nothing may grow."""
