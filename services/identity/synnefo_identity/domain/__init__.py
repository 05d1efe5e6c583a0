"""Rules of the identity service: no framework, no SQL."""
