"""Remote control: JSON-RPC as aria2 speaks it, on a ``DownloadService``.

Here are aria2's methods, values, errors and notifications; the service is passed in.
Downloading does not belong here, and neither does the protocol of the background
process. What knows HTTP is in ``rpc.web``.
"""
