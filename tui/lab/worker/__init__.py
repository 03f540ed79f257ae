"""What runs in the process of a strategy: the harness, measurement and shared code."""
