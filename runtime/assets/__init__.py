"""What is watched: an asset, its settings, its models and their comparison."""
