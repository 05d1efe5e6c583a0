"""What the identity service does on others' events."""
