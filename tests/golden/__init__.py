"""Cases as folders of files; `generate` makes those of the model file."""
