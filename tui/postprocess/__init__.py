"""Post-processing of finished downloads: hooks, unpacking, notifications, the log.

It reads events and asks the service; nothing here changes a downloaded file, and a
failure never affects the download. The engine does not know about this package.
"""
