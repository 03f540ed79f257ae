"""Who we are to a server, put together from several options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from tui.core.settings import Login, Scheme

if TYPE_CHECKING:
    from collections.abc import Mapping


def make_login(values: Mapping[str, Any], prefix: str = "") -> Login | None:
    """Make a login of ``user``, ``password-from``, ``auth`` and ``bearer-from``.

    Args:
        values: by key; what is missing or empty was not said.
        prefix: ``proxy-`` for the proxy's.

    Returns:
        The login, with ``ask`` as its secret if none was named; ``None`` for none.

    Raises:
        ValueError: they contradict each other; the message says what to leave away.
    """
    user = values.get(f"{prefix}user") or ""
    reference = values.get(f"{prefix}password-from") or ""
    bearer = "" if prefix else values.get("bearer-from") or ""
    if bearer:
        if user or reference:
            raise ValueError(
                "bearer-from and user are two ways to log in; leave one away"
            )
        return Login("", bearer, Scheme.BEARER)
    name, separator, password = user.partition(":")
    if reference and separator:
        raise ValueError(
            f"{prefix}user has a password and {prefix}password-from names another;"
            " leave one away"
        )
    if reference and not name and reference != "netrc":
        raise ValueError(
            f"{prefix}password-from needs a name to go with it; add {prefix}user"
        )
    if not name and not reference:
        return None
    scheme = Scheme.BASIC if prefix else Scheme(values.get("auth") or "basic")
    secret = f"text:{password}" if separator else reference or "ask"
    return Login(name, secret, scheme)


def split_proxy(proxy: str) -> tuple[str, str]:
    """Take the login out of a proxy's address.

    Returns:
        The address without a password, and ``NAME:PASSWORD``, or "" if it has none.
    """
    if "@" not in proxy:
        return proxy, ""
    parts = urlsplit(proxy)
    if parts.password is None:
        return proxy, ""
    user = unquote(parts.username or "")
    bare = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return bare, f"{user}:{unquote(parts.password)}"
