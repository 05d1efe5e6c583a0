"""What the compute service does on others' events."""
