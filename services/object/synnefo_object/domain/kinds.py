"""Kinds of objects, as the database has them: what stands where a plain object has its own bytes."""

PLAIN, DLO, SLO, SYMLINK = 0, 1, 2, 3
MULTIPART = 5
"""Uploaded in parts; `extra` is `domain.s3.parts.Parts`. Its own root joins them, or is the first of several."""
MARKER = 4
"""A version that says: deleted. It has no bytes."""
