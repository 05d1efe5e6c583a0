"""Other services as the compute service calls them."""
