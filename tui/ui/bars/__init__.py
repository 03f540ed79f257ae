"""Bars of a line or two: header, tabs, filter, bottleneck, messages and footer.

Widgets that can be taller belong in ``panes``.
"""
