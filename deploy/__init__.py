"""Getting vcedge onto a device as a systemd service, and off again. docs/device.md is the page for people."""
