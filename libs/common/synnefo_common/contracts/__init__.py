"""Messages between services: their models, versioned. Nothing here talks to anything."""
