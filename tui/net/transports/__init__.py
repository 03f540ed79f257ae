"""HTTP clients behind one interface: each turns a request into a raw response.

``base`` defines the interface, ``selector`` chooses the transport for an origin, and
``error_mapping`` turns the exceptions of libraries into ``net.errors``. Redirects,
authentication, idle timeouts and the meaning of headers belong to the session.
"""
