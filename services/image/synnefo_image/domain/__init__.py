"""Rules of the image service: no framework, no SQL."""
