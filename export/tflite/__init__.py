"""Writes .tflite files as flatbuffers, by the schema's classes and without a converter."""
