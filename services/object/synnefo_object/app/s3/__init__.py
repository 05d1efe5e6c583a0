"""Use cases of the S3 API, on the same containers and objects as Swift's and Pithos'."""
