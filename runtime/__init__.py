"""What runs on the device: engines, the stream, messages, the MQTT service. Imports neither training nor export."""
