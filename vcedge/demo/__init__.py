"""The demonstration: the whole chain on a simulated pump rig, from a healthy history to found faults, over MQTT."""
