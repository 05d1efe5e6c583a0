"""Bodies of the dispatcher API."""
