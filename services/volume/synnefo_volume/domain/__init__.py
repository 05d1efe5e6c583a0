"""Rules of the volume service: no framework, no SQL."""
