"""Use cases of the Pithos API beside those that it shares with Swift."""
