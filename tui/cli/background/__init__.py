"""Background processes on the command line: start one, and the verbs that talk to it.

One module a command, the process itself (its composition root), and how it is started.
The socket and its protocol belong to ``tui.background``.
"""
