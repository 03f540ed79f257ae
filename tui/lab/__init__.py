"""The lab: every way of running concurrent downloads, side by side."""
