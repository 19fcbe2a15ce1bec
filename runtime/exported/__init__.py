"""Runs a detector from an exported ONNX or TFLite file."""
