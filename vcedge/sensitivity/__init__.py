"""What a calibrated detector finds: injected faults of every kind on every channel, measured on held-out rows."""
