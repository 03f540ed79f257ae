"""One-line widgets: header, tabs, filter, bottleneck, messages and footer.

Widgets that can be taller than a line belong in ``panes``.
"""
