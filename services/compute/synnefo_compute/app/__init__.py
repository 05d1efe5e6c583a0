"""Use cases of the compute service: one unit of work each."""
