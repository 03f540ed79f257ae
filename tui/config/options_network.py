"""Options of the way to the server, of logins, and of the dashboard."""

from __future__ import annotations

from typing import Final

from tui.config.option import Group, Option
from tui.config.parsing import (
    REFERENCES,
    parse_header,
    parse_interface,
    parse_pin,
    parse_proxy,
    parse_reference,
    parse_user,
)
from tui.config.values import Kind
from tui.core.settings import MAX_CONCURRENCY, Scheme

_LOGIN_SCHEMES = (Scheme.BASIC.value, Scheme.DIGEST.value)

NETWORK: Final = (
    Option(
        "proxy",
        Kind.TEXT,
        Group.NETWORK,
        "Go through a proxy: http://, https://, socks5:// or socks5h://HOST:PORT;"
        " direct for none.",
        '"socks5h://127.0.0.1:1080"',
        field="proxy",
        metavar="URL",
        parse=parse_proxy,
        default_text="as http_proxy, https_proxy, all_proxy and no_proxy say",
    ),
    Option(
        "proxy-user",
        Kind.TEXT,
        Group.NETWORK,
        "Name to log in to the proxy with.",
        '"me"',
        field="proxy_login",
        metavar="NAME",
        parse=parse_user,
    ),
    Option(
        "proxy-password-from",
        Kind.TEXT,
        Group.NETWORK,
        "Where the proxy's password is: a reference as for --password-from.",
        '"env:PROXY_PASSWORD"',
        field="proxy_login",
        metavar="REF",
        parse=parse_reference,
    ),
    Option(
        "interface",
        Kind.TEXT,
        Group.NETWORK,
        "Connect from this network interface or local address.",
        '"eth1"',
        field="interface",
        metavar="NAME",
        parse=parse_interface,
    ),
    Option(
        "ip-version",
        Kind.CHOICE,
        Group.NETWORK,
        "Connect by IPv4 or IPv6 only; also -4 and -6.",
        '"4"',
        field="ip_version",
        choices=("any", "4", "6"),
        fallback="any",
    ),
    Option(
        "resolve",
        Kind.WORDS,
        Group.NETWORK,
        "Connect to this address without asking the DNS; * for every port; repeatable.",
        '["example.org:443:192.0.2.7"]',
        field="resolve",
        metavar="HOST:PORT:ADDRESS",
        parse=parse_pin,
    ),
    Option(
        "http2",
        Kind.SWITCH,
        Group.NETWORK,
        "Offer HTTP/2 for downloads in one stream; ranges stay on HTTP/1.1.",
        "true",
        field="http2",
    ),
    Option(
        "ca-file",
        Kind.PATH,
        Group.NETWORK,
        "Trust these certificates (PEM) instead of the system's.",
        '"/etc/ssl/company.pem"',
        field="ca_file",
        metavar="FILE",
        must_exist=True,
        default_text="SSL_CERT_FILE, or the system's",
        more="A server's self-signed certificate must be one with CA:FALSE.",
    ),
    Option(
        "cert",
        Kind.PATH,
        Group.NETWORK,
        "Certificate (PEM) that proves us to servers; the key may be in it.",
        '"~/.config/me.pem"',
        field="client_cert",
        metavar="FILE",
        must_exist=True,
    ),
    Option(
        "key",
        Kind.PATH,
        Group.NETWORK,
        "The certificate's key (PEM), where it is a file of its own.",
        '"~/.config/me.key"',
        field="client_key",
        metavar="FILE",
        must_exist=True,
    ),
    Option(
        "http-backend",
        Kind.CHOICE,
        Group.NETWORK,
        "HTTP client to use.",
        '"httpx"',
        field="http_backend",
        choices=("auto", "pyreqwest", "httpx", "builtin"),
        more="auto picks the fastest one that supports the request; builtin is"
        " fetchtui's own HTTP/1.1 client, used wherever it supports the request.",
        fallback="auto",
    ),
)

LOGIN: Final = (
    Option(
        "headers",
        Kind.WORDS,
        Group.LOGIN,
        "Sent to the origins that the list names; repeatable.",
        '["Accept-Language: en"]',
        field="headers",
        flags=("--header",),
        metavar="'NAME: VALUE'",
        parse=parse_header,
        more="Authorization, Cookie and the like are refused in the settings file:"
        " secrets are not kept in it. No header follows a redirect to another server.",
    ),
    Option(
        "user",
        Kind.TEXT,
        Group.LOGIN,
        "Name to log in with, at the origins that the list names. The password is"
        " asked for, unless --password-from says where it is.",
        '"me"',
        field="login",
        flags=("-u", "--user"),
        metavar="NAME",
        parse=parse_user,
    ),
    Option(
        "password-from",
        Kind.TEXT,
        Group.LOGIN,
        f"Where the password is: {REFERENCES}.",
        '"keyring:example.org"',
        field="login",
        metavar="REF",
        parse=parse_reference,
        more="The secret itself is refused in the settings file and the environment.",
    ),
    Option(
        "auth",
        Kind.CHOICE,
        Group.LOGIN,
        "How the password is proven: sent with each request, or by digest after a 401.",
        '"digest"',
        field="login",
        choices=_LOGIN_SCHEMES,
        fallback=Scheme.BASIC.value,
    ),
    Option(
        "bearer-from",
        Kind.TEXT,
        Group.LOGIN,
        "Log in with a bearer token; where it is, as for --password-from.",
        '"env:API_TOKEN"',
        field="login",
        metavar="REF",
        parse=parse_reference,
    ),
    Option(
        "netrc",
        Kind.SWITCH,
        Group.LOGIN,
        "Take logins from NETRC or ~/.netrc.",
        "true",
        field="netrc",
        fallback=False,
    ),
    Option(
        "netrc-file",
        Kind.PATH,
        Group.LOGIN,
        "Take logins from this file, which is written as .netrc is.",
        '"~/.config/netrc"',
        field="netrc",
        metavar="FILE",
        must_exist=True,
    ),
    Option(
        "cookies",
        Kind.PATH,
        Group.LOGIN,
        "Send the cookies of this Netscape file, as browsers' add-ons export it; it"
        " is never written.",
        '"~/cookies.txt"',
        field="cookies",
        metavar="FILE",
        must_exist=True,
    ),
)

DASHBOARD: Final = (
    Option(
        "dashboard.theme",
        Kind.TEXT,
        Group.DASHBOARD,
        "Colours, by the names that T lists.",
        '"fetchtui-light"',
        metavar="NAME",
        fallback="",
        default_text="the one that was chosen last",
        is_live=True,
    ),
    Option(
        "dashboard.motion",
        Kind.SWITCH,
        Group.DASHBOARD,
        "Let spinners turn and bars glide; without, only what changes is drawn anew.",
        "false",
        fallback=True,
        is_live=True,
    ),
    Option(
        "dashboard.ascii",
        Kind.SWITCH,
        Group.DASHBOARD,
        "Draw with ASCII characters only.",
        "true",
        fallback=False,
        default_text="where the terminal's encoding has no others",
        is_live=True,
    ),
    Option(
        "dashboard.exit-when-done",
        Kind.SWITCH,
        Group.DASHBOARD,
        "Leave the dashboard after the last download.",
        "true",
        fallback=False,
    ),
    Option(
        "keys",
        Kind.TABLE,
        Group.DASHBOARD,
        "Other keys: an action's name and its keys, or [] for none.",
        '{ cancel = ["x", "delete"] }',
        flags=("",),
        fallback=(),
        more="A table [keys], one action a line. The names of actions are the first"
        " column of fetchtui config explain keys; keys are spelled as Textual does:"
        " x, X, ctrl+x, f5, space.",
        is_live=True,
    ),
)

HOSTS: Final = (
    Option(
        "hosts",
        Kind.TABLE,
        Group.NETWORK,
        "What holds for some hosts only; the first table that matches counts.",
        '{ "*.example.org" = { cap = 2 } }',
        field="hosts",
        flags=("",),
        more='A table [hosts."PATTERN"] for each: a host, *.example.org or HOST:PORT,'
        " with cap, limit-rate, headers, user, password-from, auth, bearer-from and"
        " proxy.",
    ),
)

HOST_KEYS: Final = (
    Option(
        "cap",
        Kind.WHOLE,
        Group.NETWORK,
        "Downloads at once from each such origin; 0 leaves it to per-host.",
        "2",
        fallback=0,
        high=MAX_CONCURRENCY,
    ),
    Option(
        "limit-rate",
        Kind.SIZE,
        Group.NETWORK,
        "Bytes per second of each such origin.",
        '"2M"',
    ),
    *(
        option
        for option in (*NETWORK, *LOGIN)
        if option.key
        in ("headers", "proxy", "user", "password-from", "auth", "bearer-from")
    ),
)
"""What a table of ``hosts`` may hold."""
