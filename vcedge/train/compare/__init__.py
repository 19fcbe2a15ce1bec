"""Compares the detector with dense networks and baselines on the user's own recording (`vcedge compare`)."""
