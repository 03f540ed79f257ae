"""Credentials, cookies and certificates: what identifies the user to servers.

Which headers an origin gets, where secrets come from, and the files that hold them. How
connections are made belongs to ``routing``, what is sent over them to the session.
"""
