"""The settings file: read, judged with line and remedy, explained, written."""
