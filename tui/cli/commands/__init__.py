"""Subcommands of ``fetchtui``, one module each."""
