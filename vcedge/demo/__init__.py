"""The demonstration: a simulated pump rig from its healthy history to what is found of its faults, over real MQTT."""
