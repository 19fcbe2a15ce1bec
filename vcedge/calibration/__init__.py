"""Measures all parts of a detector that are not trained. Needs numpy only, so it also runs on the device."""
