"""One reader per list format."""
