"""Times a step at each level beside dense peers, in one run. Only the command line imports this package."""
