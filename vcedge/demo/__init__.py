"""Demonstrates the whole chain on a simulated pump rig, from a healthy history to detected faults, over MQTT."""
