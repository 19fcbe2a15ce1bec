"""Holds the watched assets: their streams, settings and models, and the comparison of models."""
