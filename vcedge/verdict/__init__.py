"""Judges a training and a comparison by simple rules on a few facts, in sentences for the user of the machine."""
