"""The front end without a dashboard: progress on stderr, JSON on stdout, exit statuses.

``run`` passes events and numbers of the service to a renderer; ``scale`` does the same
for a large job. Starting the engine and reading the command line belong in ``tui.cli``;
the words for codes are in ``tui.messages``.
"""
