"""The built-in demo: a scripted HTTP server on loopback and a list of downloads.

The tests use the same server to simulate faults. Nothing here knows the engine or the
dashboard.
"""
