"""The S3 API: parse, authenticate, call `app.s3`, shape the answer."""
