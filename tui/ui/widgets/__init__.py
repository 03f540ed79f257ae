"""Parts of the dashboard, each drawn by itself."""
