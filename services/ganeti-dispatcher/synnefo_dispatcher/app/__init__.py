"""Use cases of the dispatcher service: one unit of work each."""
