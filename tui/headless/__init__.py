"""The plain face: progress on stderr, JSON events on stdout, exit statuses."""
