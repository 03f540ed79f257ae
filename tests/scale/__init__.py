"""``fetchtui scale``: its decisions, its files, and whole runs."""
