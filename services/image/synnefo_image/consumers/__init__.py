"""What the image service does on others' events."""
