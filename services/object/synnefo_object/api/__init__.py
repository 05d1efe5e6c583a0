"""HTTP routes of the object service: parse, authorise, call `app`, shape the answer."""
