"""Writer of .tflite files: the flatbuffer itself, from the schema's classes, no converter."""
