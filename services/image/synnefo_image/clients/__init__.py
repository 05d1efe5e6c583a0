"""Other services as the image service calls them."""
