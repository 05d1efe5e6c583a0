"""Other services as the dispatcher service calls them."""
