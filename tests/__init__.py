"""What crosses services."""
