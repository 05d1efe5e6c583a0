"""HTTP routes of the compute service: parse, authorise, call `app`, shape the answer."""
