"""The panes around the list, their base class and their layout.

Lines that are always a single line high belong in ``bars``.
"""
