"""Writes ONNX and TFLite files of a model, and verifies that they compute the same."""
