"""S3's rules: signatures, checksums, names, canned ACLs. Nothing of HTTP and nothing of the database."""
