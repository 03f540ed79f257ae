"""The command line: what people type, read, judged, explained and completed."""
