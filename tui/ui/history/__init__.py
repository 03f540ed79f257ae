"""The screen that lists earlier sessions and finished downloads.

What it lists comes from ``core.listing.history``; the object behind that protocol opens
and deletes sessions, for the action that shows the screen.
"""
