"""How a run without a dashboard is shown."""
