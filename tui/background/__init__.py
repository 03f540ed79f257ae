"""The background process: its socket, the protocol on it, and both of its ends.

Here are the address and lock of a process, the messages, the server that answers
clients, and the client; what a dashboard needs besides is in ``attach``. Downloading
does not belong here: the process that listens passes its ``DownloadService`` in.
Neither do screens: clients are the dashboard and the subcommands of the command line.
"""
