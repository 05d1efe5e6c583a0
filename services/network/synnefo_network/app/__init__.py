"""Use cases of the network service: one unit of work each."""
