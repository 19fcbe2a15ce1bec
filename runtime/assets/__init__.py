"""Watched assets: their streams, settings, models, and the comparison of models."""
