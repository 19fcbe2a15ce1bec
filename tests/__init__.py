"""Tests of vcedge; they mirror the folders of the project."""
