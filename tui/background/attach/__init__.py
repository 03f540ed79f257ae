"""A dashboard in one process for the downloads of another: both of its sides.

``view`` runs in the background process and sends what one client shows; ``replica``
runs in the client and is the service of its dashboard; ``codec`` turns snapshots and
events into JSON values. Only ``link``, which connects again when a connection ends, and
``ssh`` know how the two processes are connected. Verbs and questions that need no state
belong to the handler in the package above.
"""
