"""Turn a stream of samples into scores and events."""
