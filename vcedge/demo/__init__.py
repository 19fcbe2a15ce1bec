"""The demonstration: the whole chain on a simulated pump rig, over real MQTT, from a healthy history to found faults."""
