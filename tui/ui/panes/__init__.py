"""Panes beside the list."""
