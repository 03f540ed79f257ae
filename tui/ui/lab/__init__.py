"""The race screen: strategies side by side, live; ``app.run_race_screen`` opens it.

The race itself, its strategies and reports belong in ``tui.lab``.
"""
