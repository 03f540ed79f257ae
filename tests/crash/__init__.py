"""Real processes, killed at random moments and started again."""
