"""Conversion between text and values: sizes, checksums, names, requests, safe text.

Pure functions. Sentences for users are not here but in ``tui.messages``.
"""
