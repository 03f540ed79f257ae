"""The terminal itself: driver, writer, pastes, signals, window title, text after exit.

Here is also what leads out of it: files are opened with the desktop's programs.

What is drawn inside the dashboard belongs in the other packages of ``ui``.
"""
