"""How a connection reaches its origin: proxies, interfaces, pinned addresses."""
