"""Use cases of the image service: one unit of work each."""
