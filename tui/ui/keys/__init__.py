"""The table of actions and the keys bound to them.

Everything that names an action or a key reads from here: bindings, footer, help,
command palette, messages and the user guide. What an action does is in ``ui.actions``;
nothing in this package draws or calls the service.
"""
