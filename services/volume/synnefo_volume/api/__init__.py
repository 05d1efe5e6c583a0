"""HTTP routes of the volume service: parse, authorise, call `app`, shape the answer."""
