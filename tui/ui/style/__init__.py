"""Themes, state glyphs, names of the sort orders, and text fitted to a width.

What is drawn with them belongs in ``panes``, ``bars``, ``list`` and ``dialogs``.
"""
