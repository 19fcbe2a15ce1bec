"""Training, on the workstation: the only part that needs torch."""
