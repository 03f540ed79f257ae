"""What the dashboard needs of the terminal itself."""
