"""Bodies of the image API."""
