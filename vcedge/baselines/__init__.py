"""The simple detectors that a network has to beat, each in readable numpy, one file a family."""
