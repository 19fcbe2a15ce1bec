"""Configuration files: strict YAML with suggestions, checked before anything is opened."""
