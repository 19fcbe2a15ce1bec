"""Trains detectors on a workstation; the only package that needs torch."""
