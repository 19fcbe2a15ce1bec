"""Configuration files: strict YAML, checked before anything is opened, with suggestions for unknown keys."""
