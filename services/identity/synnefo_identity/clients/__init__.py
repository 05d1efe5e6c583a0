"""Other services as the identity service calls them."""
