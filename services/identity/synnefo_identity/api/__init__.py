"""HTTP routes of the identity service: parse, authorise, call `app`, shape the answer."""
