"""What happens when an action is run: one method for each entry of the action table.

Handlers take an ``ActionContext`` and never the screen, so they are tested without an
app. Dialogs that they open are in ``ui.dialogs``, the actions' names and keys in
``ui.keys``.
"""
