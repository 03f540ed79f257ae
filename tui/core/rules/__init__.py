"""Rules that several packages follow: folders, hosts, hooks, secret headers, statuses.

Pure functions and constants; nothing here reads a settings file.
"""
