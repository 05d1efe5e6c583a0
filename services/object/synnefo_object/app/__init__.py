"""Use cases of the object service: one unit of work each."""
