"""What the dispatcher service does on others' events."""
