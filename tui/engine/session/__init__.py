"""Sessions that survive a restart."""
