"""Other services as the network service calls them."""
