"""Settings: the option table, the settings file, and how the sources are merged.

``registry.OPTIONS`` is the only list of options: key, kind, choices, default and help.
``precedence`` resolves the effective settings of a run; ``editor`` reads and changes
the settings file, for ``fetchtui config`` and the dashboard. Front ends and code that
uses settings do not belong here; ``Settings`` itself is in ``tui.core.settings``.
"""
