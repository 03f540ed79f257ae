"""The front end without a dashboard: progress on stderr, JSON on stdout, exit statuses.

Renderers get events and numbers of the service. Starting the engine and reading the
command line belong in ``tui.cli``; the words for codes are in ``tui.messages``.
"""
