"""One file a resource: what a client may ask of it, and the one call to the core that answers."""
