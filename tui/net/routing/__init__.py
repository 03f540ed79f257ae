"""How a connection reaches its origin: proxies, interfaces, pinned addresses.

Decides the route and nothing more: connecting along it is up to ``transports``.
"""
