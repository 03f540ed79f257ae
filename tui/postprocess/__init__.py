"""Post-processing of finished downloads: hooks, unpacking, notifications, the log.

It reads events and asks the service. Nothing here changes the content of a file, and a
failure never affects the download; a file that was uploaded to an object store is
removed from this machine. The engine does not know about this package.
"""
