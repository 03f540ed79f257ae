"""The built-in HTTP/1.1 client, which runs on the event loop.

Connections, how they are made (proxies, TLS), their pool, the parser, and what
connections share. Sockets are opened by ``transports.sockets``; redirects and
authentication belong to the session.
"""
