"""What follows a download: hooks, unpacking, the desktop's notice, the log file."""
