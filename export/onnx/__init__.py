"""Writes .onnx files."""
