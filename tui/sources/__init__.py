"""What to fetch: lists on disk or standard input, turned into requests."""
