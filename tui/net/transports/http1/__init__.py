"""The built-in HTTP/1.1 client, which runs on the event loop.

Connections, their pool, the parser, and what connections share. It speaks plain HTTP to
the server itself: TLS and proxies are left to the other transports, redirects and
authentication to the session.
"""
