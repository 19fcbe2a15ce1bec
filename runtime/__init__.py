"""Runs on the device: engines, the stream, the MQTT service. Imports neither training nor export."""
