"""HTTP routes of the network service: parse, authorise, call `app`, shape the answer."""
