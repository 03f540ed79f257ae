"""Which downloads a list shows and in which order, and the list of earlier ones.

Functions of a list of downloads, which work in slices (``slices``) so that a million of
them block nothing. What a screen makes of the result belongs in ``tui.ui.list``.
"""
