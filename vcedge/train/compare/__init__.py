"""`vcedge compare`: the detector beside its rivals on the user's own recording."""
