"""The settings file: read, judged with line and remedy, explained, written.

What can be set stands in ``registry.OPTIONS`` and nowhere else: key, kind, choices,
default, words for people. Who wants to know what holds in this run asks ``precedence``;
who wants to read or change the file, such as the dashboard, asks ``store``.
"""
