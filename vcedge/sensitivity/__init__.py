"""Measures which injected faults a calibrated detector finds, for every kind on every channel of held-out rows."""
