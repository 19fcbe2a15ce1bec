"""How well a detector detects, in numpy alone: metrics that agree with the independent reference to 1e-9."""
