"""Conversion between text and values: sizes, checksum lists, requests, safe text.

Pure functions. Sentences for users are not here but in ``tui.messages``.
"""
