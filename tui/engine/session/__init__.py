"""Saving and restoring the downloads of the dashboard between two runs.

What is saved, when, and how it becomes downloads again, and the list of all saved
sessions. The file format belongs in ``tui.disk.state``.
"""
