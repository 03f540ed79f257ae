"""Dialogs over the main screen: each asks one question, or shows a text.

A dialog does not act on downloads; ``actions`` opens it and uses what it returns.
"""
