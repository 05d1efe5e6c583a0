"""What the volume service does on others' events."""
