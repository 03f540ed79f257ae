"""The race screen: strategies side by side, live; ``app.run_race_screen`` opens it."""
