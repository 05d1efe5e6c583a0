"""HTTP routes of the dispatcher service: parse, authorise, call `app`, shape the answer."""
