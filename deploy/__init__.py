"""Installs vcedge on a device as a systemd service, updates it and removes it (docs/device.md)."""
