"""Rules of the network service: no framework, no SQL."""
