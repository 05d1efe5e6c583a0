"""Bodies of the object API."""
