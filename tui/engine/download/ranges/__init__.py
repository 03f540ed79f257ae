"""The ranges of one file: which connection downloads which, and how many there are.

The transfer that puts them together and the rules for another attempt belong in
``tui.engine.download``.
"""
