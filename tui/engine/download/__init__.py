"""One attempt at one download, stage by stage."""
