"""Where blocks, pages and records are really kept. One module per kind of storage; all keep `api.Driver`."""
