"""Bodies of the identity API."""
