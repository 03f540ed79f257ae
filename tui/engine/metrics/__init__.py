"""Measurements: speed, waiting times, event loop lag."""
