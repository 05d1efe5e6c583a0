"""Other services as the volume service calls them."""
