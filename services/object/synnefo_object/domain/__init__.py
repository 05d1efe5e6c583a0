"""Rules of the object service: no framework, no SQL."""
