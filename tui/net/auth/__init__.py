"""Who we are to a server, and whom we trust."""
