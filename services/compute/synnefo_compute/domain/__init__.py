"""Rules of the compute service: no framework, no SQL."""
