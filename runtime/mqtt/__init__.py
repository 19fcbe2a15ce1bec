"""Keeps an MQTT connection up, and queues messages in both directions."""
