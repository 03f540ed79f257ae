"""The list of downloads: model, selection, text of the rows, and the widget.

What keys do to downloads belongs in ``actions``.
"""
