"""Measurements of speed, progress, waiting times and event loop lag.

Nothing here decides anything or imports other packages of the engine.
"""
