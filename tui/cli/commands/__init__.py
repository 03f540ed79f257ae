"""Subcommands of ``fetchtui``, one module each, and the dry run.

What several commands share, such as loading settings, belongs in ``tui.cli``.
"""
