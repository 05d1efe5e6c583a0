"""Use cases of the identity service: one unit of work each."""
