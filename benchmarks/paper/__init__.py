"""Tests the paper's claims (Jernite et al. 2017) on polyphonic music and text, beside rivals of equal cost."""
