"""Rules that settings and safety share."""
