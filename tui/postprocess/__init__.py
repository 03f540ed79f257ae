"""What happens after a download: hooks, unpacking, notifications, the log file."""
