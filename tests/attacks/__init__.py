"""Files that must be refused, made from a sound one; in the spirit of safetensors' own `attacks`."""
