"""All action handlers, and the table from action IDs to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.ui.actions.application import ApplicationActions
from tui.ui.actions.export import ListExport
from tui.ui.actions.rows import RowActions
from tui.ui.actions.run import RunActions
from tui.ui.actions.scope import ActionScope
from tui.ui.actions.states import StateActions
from tui.ui.actions.view import SelectionActions, ViewActions
from tui.ui.keys.registry import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.ui.actions.context import ActionContext

HANDLER_CLASSES = (
    StateActions,
    RowActions,
    SelectionActions,
    RunActions,
    ViewActions,
    ApplicationActions,
)
"""An action is handled by the one method of its ID in these classes."""


class ActionHandlers:
    """The handlers of all actions of one dashboard."""

    def __init__(self, context: ActionContext) -> None:
        """Make handlers that act on ``context``."""
        scope = ActionScope(context.service, context.list)
        self.table: dict[str, Callable[[], None]] = {}
        """Handlers by action ID."""
        self.export = ListExport(context)
        self.states = StateActions(context, scope)
        self.rows = RowActions(context, scope, self.table)
        self.selection = SelectionActions(context)
        self.run = RunActions(context, self.export)
        self.view = ViewActions(context)
        self.application = ApplicationActions(context, self.rows.open_in_desktop)
        owners = (
            self.states,
            self.rows,
            self.selection,
            self.run,
            self.view,
            self.application,
        )
        for action in ACTIONS:
            (owner,) = (owner for owner in owners if hasattr(owner, action.id))
            self.table[action.id] = getattr(owner, action.id)
