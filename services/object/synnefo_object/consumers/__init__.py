"""What the object service does on others' events."""
