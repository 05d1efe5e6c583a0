"""Other services as the object service calls them."""
