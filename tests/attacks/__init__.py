"""Invalid model files made from a valid one, each of which must be refused; after safetensors' own `attacks`."""
