"""The terminal itself: driver, writer, signals, window title, and text after exit.

What is drawn inside the dashboard belongs in the other packages of ``ui``.
"""
