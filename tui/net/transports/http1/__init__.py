"""The HTTP/1.1 client that runs on the event loop."""
