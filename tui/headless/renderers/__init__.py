"""Renderers: one module per output style (plain, live, quiet, JSON).

A renderer only formats what it is given. Running and interrupting belong in
``tui.headless.run``.
"""
