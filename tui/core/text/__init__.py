"""Text: sizes and durations, digest lists, and what is safe to show."""
