"""The Pithos API: accounts spelled as a project's id, and Pithos' own parameters and headers in both spellings."""
