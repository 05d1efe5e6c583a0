"""Rules of the dispatcher service: no framework, no SQL."""
