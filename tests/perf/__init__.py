"""`make bench`: what the cloud costs, in CPU seconds of its own processes, against a cloud of its own."""
