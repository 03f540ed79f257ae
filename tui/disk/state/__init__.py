"""Files that describe sessions, kept apart from downloads."""
