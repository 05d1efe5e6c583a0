"""What the network service does on others' events."""
