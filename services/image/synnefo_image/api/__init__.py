"""HTTP routes of the image service: parse, authorise, call `app`, shape the answer."""
