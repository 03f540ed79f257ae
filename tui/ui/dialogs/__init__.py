"""Dialogs over the main screen: each asks one question and returns the answer.

A dialog does not act on downloads; ``actions`` opens it and uses what it returns.
"""
