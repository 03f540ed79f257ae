"""Conversion between text and values: sizes, durations, checksum lists, safe text.

Pure functions. Sentences for users are not here but in ``tui.messages``.
"""
