"""Use cases of the volume service: one unit of work each."""
