"""The option table: every setting, in the order in which users read about them.

To add an option, add an entry here and a field to ``Settings``; the command line, the
settings file, the environment, ``--help`` and the docs follow from it.
"""

from __future__ import annotations

from typing import Final

from tui.config.option import Group, Option
from tui.config.parsing import (
    REFERENCES,
    parse_column,
    parse_folder,
    parse_header,
    parse_header_value,
    parse_interface,
    parse_listen,
    parse_origin,
    parse_pin,
    parse_proxy,
    parse_reference,
    parse_referer,
    parse_user,
)
from tui.config.values import Kind
from tui.core.settings import (
    COLUMNS,
    MAX_CONCURRENCY,
    MAX_SEGMENTS,
    MAX_WRITERS,
    OnExists,
    Scheme,
    Verify,
)
from tui.core.text.units import UNITS

WHERE: Final = (
    Option(
        "output-dir",
        Kind.PATH,
        Group.WHERE,
        "Output directory; created if it does not exist.",
        '"~/Downloads"',
        field="output_dir",
        flags=("-o", "-d", "--output-dir"),
        metavar="DIR",
        may_be_store=True,
        default_text="current directory",
    ),
    Option(
        "on-exists",
        Kind.CHOICE,
        Group.WHERE,
        "What to do if the file already exists.",
        '"rename"',
        field="on_exists",
        choices=tuple(choice.value for choice in OnExists),
        more="resume continues a part file and treats a complete file of the right size"
        " as done; skip keeps the existing file without asking the server; rename"
        " downloads under a new name; overwrite replaces the file once the new one is"
        " complete; newer does that if the server's file is newer, else it keeps the"
        " existing one; fail ends the download with an error but continues a part file;"
        " resume-only is resume with an error instead of a numbered name.",
    ),
    Option(
        "folders",
        Kind.WORDS,
        Group.WHERE,
        "Save files whose name matches in a subdirectory of the output directory;"
        " repeatable, the first matching pattern applies.",
        '["*.iso=images", "*.pdf=papers"]',
        field="folders",
        flags=("--folder",),
        metavar="'PATTERN=DIR'",
        parse=parse_folder,
        more="The settings file also accepts tables: [[folders]] with pattern and"
        " directory. A directory given in the list (dir=) takes precedence.",
    ),
)

SPEED: Final = (
    Option(
        "concurrency",
        Kind.WHOLE,
        Group.SPEED,
        "Fixed number of simultaneous downloads; can be changed in the dashboard.",
        "16",
        field="concurrency",
        flags=("-c", "-j", "--concurrency"),
        metavar="N",
        low=1,
        high=MAX_CONCURRENCY,
        default_text="chosen by measurement",
        is_live=True,
    ),
    Option(
        "auto",
        Kind.SWITCH,
        Group.SPEED,
        "Adjust concurrency automatically, based on measured throughput and errors.",
        "true",
        field="auto",
        more="It starts with 16 and grows within a few round trips while that brings"
        " more, up to 16 connections per host, 32 for files up to 4 MiB, or 64 for"
        " small files. per-host sets another limit.",
        default_text="on, unless concurrency is set",
        is_live=True,
    ),
    Option(
        "segments",
        Kind.WHOLE,
        Group.SPEED,
        "Connections per file; 0 chooses by its size.",
        "4",
        field="segments",
        flags=("-s", "-x", "--segments"),
        metavar="N",
        high=MAX_SEGMENTS,
        is_live=True,
    ),
    Option(
        "per-host",
        Kind.WHOLE,
        Group.SPEED,
        "Maximum simultaneous downloads per host; 0 for no limit.",
        "4",
        field="per_host",
        metavar="N",
        high=MAX_CONCURRENCY,
        is_live=True,
    ),
    Option(
        "sizes-ahead",
        Kind.SWITCH,
        Group.SPEED,
        "In the dashboard, ask servers for the sizes of queued files, for total and"
        " ETA.",
        "false",
        field="sizes_ahead",
        fallback=True,
        default_text="on",
        more="At most 500 requests for one byte, 2 at a time and one per host, only"
        " where a host's limit leaves a connection spare, never to a host that refused"
        " anything or whose files have a query in their URLs.",
    ),
    Option(
        "limit-rate",
        Kind.RATE,
        Group.SPEED,
        "Total rate limit in bytes per second, such as 500k or 10M; 0 for no limit.",
        '"10M"',
        field="rate_limit",
        metavar="RATE",
        default_text="no limit",
        is_live=True,
        more="10M means 10 MiB, as in aria2 and curl; 10MB means 10 million bytes.",
    ),
    Option(
        "writers",
        Kind.WHOLE,
        Group.SPEED,
        "Number of threads that write to disk.",
        "8",
        field="writers",
        metavar="N",
        low=1,
        high=MAX_WRITERS,
        is_live=True,
    ),
    Option(
        "in-flight-limit",
        Kind.SIZE,
        Group.SPEED,
        "Maximum data buffered in memory before reading from the network pauses.",
        '"64M"',
        field="in_flight_limit",
        metavar="SIZE",
        low=1 << 20,
        high=1 << 40,
        default_text="64M",
    ),
)

TRUST: Final = (
    Option(
        "retries",
        Kind.WHOLE,
        Group.TRUST,
        "Number of retries per download and mirror; only transient errors are retried.",
        "10",
        field="retries",
        metavar="N",
        high=1000,
    ),
    Option(
        "max-retry-after",
        Kind.NUMBER,
        Group.TRUST,
        "Longest wait in seconds that a server may ask for with Retry-After; if it asks"
        " for more, the download fails.",
        "7200",
        field="max_retry_after_s",
        metavar="SECONDS",
        high=86400 * 365,
    ),
    Option(
        "timeout",
        Kind.NUMBER,
        Group.TRUST,
        "Timeout in seconds for connecting, for the response headers and for a stalled"
        " transfer.",
        "60",
        field="timeout_s",
        metavar="SECONDS",
        low=0.1,
        high=86400,
    ),
    Option(
        "verify",
        Kind.CHOICE,
        Group.TRUST,
        "How to verify files without a checksum in the list: by response headers"
        " (headers), also by SHA256SUMS or NAME.sha256 files (auto), or not (off).",
        '"auto"',
        field="verify",
        choices=tuple(choice.value for choice in Verify),
        more="headers uses Repr-Digest and Digest; auto also looks next to the file for"
        " SHA256SUMS, sha256sum.txt, NAME.sha256 and NAME.sha512. A checksum in the"
        " list is always verified.",
    ),
    Option(
        "fsync",
        Kind.SWITCH,
        Group.TRUST,
        "fsync each file before renaming it; without this a power failure may corrupt"
        " it.",
        "false",
        field="fsync",
    ),
)

AFTER: Final = (
    Option(
        "hooks.on-done",
        Kind.COMMAND,
        Group.AFTER,
        "Command to run after each completed download (not passed to a shell).",
        '"mv-to-nas --quiet"',
        field="hooks.on_done",
        metavar="COMMAND",
        more="The command receives details in FETCHTUI_* variables and in placeholders"
        " such as {path}, {name} and {url}.",
    ),
    Option(
        "hooks.on-failed",
        Kind.COMMAND,
        Group.AFTER,
        "Command to run after each download that fails permanently.",
        '["logger", "a download failed"]',
        field="hooks.on_failed",
        metavar="COMMAND",
    ),
    Option(
        "hooks.on-all-done",
        Kind.COMMAND,
        Group.AFTER,
        "Command to run once, after the last download finishes.",
        '"systemctl suspend"',
        field="hooks.on_all_done",
        metavar="COMMAND",
    ),
    Option(
        "hooks.timeout",
        Kind.NUMBER,
        Group.AFTER,
        "Timeout in seconds for a hook; it is killed together with its children.",
        "60",
        field="hooks.timeout_s",
        flags=("--hook-timeout",),
        metavar="SECONDS",
        low=0.1,
        high=7 * 86400,
    ),
    Option(
        "hooks.at-once",
        Kind.WHOLE,
        Group.AFTER,
        "Maximum number of hooks that run at the same time.",
        "1",
        field="hooks.at_once",
        flags=("--hooks-at-once",),
        metavar="N",
        low=1,
        high=64,
    ),
    Option(
        "notify",
        Kind.SWITCH,
        Group.AFTER,
        "Show a desktop notification when all downloads are finished.",
        "true",
        field="notify",
    ),
    Option(
        "unpack",
        Kind.SWITCH,
        Group.AFTER,
        "Extract archives (zip, tar, tar.gz, ...) into a folder next to the file.",
        "true",
        field="unpack",
    ),
    Option(
        "server-time",
        Kind.SWITCH,
        Group.AFTER,
        "Set each file's modification time from Last-Modified.",
        "true",
        field="server_time",
    ),
    Option(
        "log-file",
        Kind.PATH,
        Group.AFTER,
        "Log every event to this file, one per line, with secrets masked.",
        '"~/fetchtui.log"',
        field="log_file",
        metavar="FILE",
    ),
)


_LOGIN_SCHEMES = (Scheme.AUTO.value, Scheme.BASIC.value, Scheme.DIGEST.value)

NETWORK: Final = (
    Option(
        "proxy",
        Kind.TEXT,
        Group.NETWORK,
        "Use a proxy: http://, https://, socks5:// or socks5h://HOST:PORT, or direct"
        " for none.",
        '"socks5h://127.0.0.1:1080"',
        field="proxy",
        metavar="URL",
        parse=parse_proxy,
        default_text="from http_proxy, https_proxy, all_proxy and no_proxy",
    ),
    Option(
        "proxy-user",
        Kind.TEXT,
        Group.NETWORK,
        "User name for the proxy.",
        '"me"',
        field="proxy_login",
        metavar="NAME",
        parse=parse_user,
    ),
    Option(
        "proxy-password-from",
        Kind.TEXT,
        Group.NETWORK,
        "Where to read the proxy password from; a reference as for --password-from.",
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
        "Connect over IPv4 or IPv6 only; also -4 and -6.",
        '"4"',
        field="ip_version",
        choices=("any", "4", "6"),
        fallback="any",
    ),
    Option(
        "resolve",
        Kind.WORDS,
        Group.NETWORK,
        "Connect to this address instead of using DNS; * means every port; repeatable.",
        '["example.org:443:192.0.2.7"]',
        field="resolve",
        metavar="HOST:PORT:ADDRESS",
        parse=parse_pin,
    ),
    Option(
        "http2",
        Kind.SWITCH,
        Group.NETWORK,
        "Offer HTTP/2 for single-stream downloads; ranges stay on HTTP/1.1.",
        "true",
        field="http2",
    ),
    Option(
        "ca-file",
        Kind.PATH,
        Group.NETWORK,
        "CA certificates (PEM) to trust instead of the system's.",
        '"/etc/ssl/company.pem"',
        field="ca_file",
        metavar="FILE",
        must_exist=True,
        default_text="SSL_CERT_FILE, or the system's",
        more="A self-signed server certificate works only if it is marked CA:FALSE.",
    ),
    Option(
        "cert",
        Kind.PATH,
        Group.NETWORK,
        "Client certificate (PEM); may include the private key.",
        '"~/.config/me.pem"',
        field="client_cert",
        metavar="FILE",
        must_exist=True,
    ),
    Option(
        "key",
        Kind.PATH,
        Group.NETWORK,
        "Private key of the client certificate (PEM), if it is a separate file.",
        '"~/.config/me.key"',
        field="client_key",
        metavar="FILE",
        must_exist=True,
    ),
    Option(
        "user-agent",
        Kind.TEXT,
        Group.NETWORK,
        "User-Agent header for all requests.",
        '"Mozilla/5.0"',
        field="user_agent",
        flags=("-A", "--user-agent"),
        metavar="TEXT",
        parse=parse_header_value,
        default_text="fetchtui/VERSION",
        more="An empty text sends no such header. A User-Agent among the headers of a"
        " list or of --header takes precedence.",
    ),
    Option(
        "referer",
        Kind.TEXT,
        Group.NETWORK,
        "Referer header for the origins in the list.",
        '"https://example.org/downloads"',
        field="headers",
        metavar="URL",
        parse=parse_referer,
        fallback="",
    ),
    Option(
        "http-backend",
        Kind.CHOICE,
        Group.NETWORK,
        "HTTP client to use.",
        '"httpx"',
        field="http_backend",
        choices=("auto", "http1", "httpx"),
        more="http1 is fetchtui's own HTTP/1.1 client; auto uses it for everything,"
        " except that --http2 needs httpx.",
        fallback="auto",
    ),
)

LOGIN: Final = (
    Option(
        "headers",
        Kind.WORDS,
        Group.LOGIN,
        "Request header for the origins in the list; repeatable.",
        '["Accept-Language: en"]',
        field="headers",
        flags=("-H", "--header"),
        metavar="'NAME: VALUE'",
        parse=parse_header,
        more="The settings file must not contain secrets, so it cannot set"
        " Authorization, Cookie and similar headers. Headers are dropped on redirects"
        " to another server.",
    ),
    Option(
        "user",
        Kind.TEXT,
        Group.LOGIN,
        "User name for the origins in the list. Prompts for the password unless"
        " --password-from is given.",
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
        f"Where to read the password from: {REFERENCES}.",
        '"keyring:example.org"',
        field="login",
        metavar="REF",
        parse=parse_reference,
        more="The settings file and the environment accept only such a reference, never"
        " the secret itself.",
    ),
    Option(
        "auth",
        Kind.CHOICE,
        Group.LOGIN,
        "HTTP authentication scheme: auto answers a 401 challenge with Digest or Basic,"
        " digest with Digest only, basic sends the password with each request.",
        '"digest"',
        field="auth",
        choices=_LOGIN_SCHEMES,
        fallback=Scheme.AUTO.value,
        more="Applies to --user, netrc and logins in URLs. With auto and digest the"
        " first request carries no password; some servers do not ask for one and need"
        " basic.",
    ),
    Option(
        "bearer-from",
        Kind.TEXT,
        Group.LOGIN,
        "Where to read a bearer token from; a reference as for --password-from.",
        '"env:API_TOKEN"',
        field="login",
        metavar="REF",
        parse=parse_reference,
    ),
    Option(
        "netrc",
        Kind.SWITCH,
        Group.LOGIN,
        "Read credentials from $NETRC or ~/.netrc.",
        "true",
        field="netrc",
        fallback=False,
    ),
    Option(
        "netrc-file",
        Kind.PATH,
        Group.LOGIN,
        "Read credentials from this file, in .netrc format.",
        '"~/.config/netrc"',
        field="netrc",
        metavar="FILE",
        must_exist=True,
    ),
    Option(
        "cookies",
        Kind.PATH,
        Group.LOGIN,
        "Cookie file in Netscape format, as browser extensions export it; read only,"
        " never written.",
        '"~/cookies.txt"',
        field="cookies",
        metavar="FILE",
        must_exist=True,
    ),
)

THEMES: Final = (
    *("fetchtui-dark", "fetchtui-light", "ansi-dark", "ansi-light", "atom-one-dark"),
    *("atom-one-light", "catppuccin-frappe", "catppuccin-latte"),
    *("catppuccin-macchiato", "catppuccin-mocha", "dracula", "flexoki", "gruvbox"),
    *("monokai", "nord", "rose-pine", "rose-pine-dawn", "rose-pine-moon"),
    *("solarized-dark", "solarized-light", "textual-dark", "textual-light"),
    "tokyo-night",
)
"""Names of all themes. Most are Textual's, which takes 0.2 s to import."""

DASHBOARD: Final = (
    Option(
        "dashboard.theme",
        Kind.TEXT,
        Group.DASHBOARD,
        "Color theme (press T in the dashboard for a list).",
        '"fetchtui-light"',
        metavar="NAME",
        fallback="",
        default_text="last one used",
        is_live=True,
    ),
    Option(
        "dashboard.motion",
        Kind.SWITCH,
        Group.DASHBOARD,
        "Animate spinners and bars; otherwise redraw only on change.",
        "false",
        fallback=True,
        is_live=True,
    ),
    Option(
        "dashboard.ascii",
        Kind.SWITCH,
        Group.DASHBOARD,
        "Use ASCII characters only.",
        "true",
        fallback=False,
        default_text="if the locale is C or its encoding is not UTF-8",
        is_live=True,
    ),
    Option(
        "dashboard.columns",
        Kind.WORDS,
        Group.DASHBOARD,
        "Columns of the list besides the name (press C in the dashboard to choose).",
        '["size", "percent", "speed"]',
        metavar="NAME",
        parse=parse_column,
        fallback=(),
        default_text="those that fit",
        more=f"Any of {', '.join(COLUMNS)}. In narrow terminals, the columns that do"
        " not fit are left out.",
        is_live=True,
    ),
    Option(
        "units",
        Kind.CHOICE,
        Group.DASHBOARD,
        "Units in which sizes are shown, with or without a dashboard: si (1 MB is"
        " 1,000,000 bytes) or iec (1 MiB is 1,048,576 bytes).",
        '"iec"',
        choices=UNITS,
        fallback="si",
        is_live=True,
    ),
    Option(
        "dashboard.exit-when-done",
        Kind.SWITCH,
        Group.DASHBOARD,
        "Exit the dashboard after the last download.",
        "true",
        fallback=False,
    ),
    Option(
        "keys",
        Kind.TABLE,
        Group.DASHBOARD,
        "Key bindings: an action's name and its keys, or [] for none.",
        '{ cancel = ["x", "delete"] }',
        flags=("",),
        fallback=(),
        more="A table [keys] with one action per line. fetchtui config explain keys"
        " lists the action names. Keys are spelled as in Textual: x, X, ctrl+x, f5,"
        " space.",
        is_live=True,
    ),
)

REMOTE: Final = (
    Option(
        "rpc.listen",
        Kind.TEXT,
        Group.REMOTE,
        "Let programs that control aria2 control fetchtui, on this port; needs"
        " fetchtui[rpc].",
        '"127.0.0.1:6800"',
        flags=("--rpc",),
        metavar="[HOST:]PORT",
        parse=parse_listen,
        fallback="",
        default_text="off",
        more="Without HOST, only programs on this machine can connect. Without a"
        " dashboard, fetchtui then runs until it is stopped. See fetchtui help rpc.",
    ),
    Option(
        "rpc.secret-from",
        Kind.TEXT,
        Group.REMOTE,
        "Where to read the secret of the remote control from; a reference as for"
        " --password-from.",
        '"file:~/.config/fetchtui-secret"',
        flags=("--rpc-secret-from",),
        metavar="REF",
        parse=parse_reference,
        fallback="",
        default_text="generated, in the file rpc-secret next to the sessions",
    ),
    Option(
        "rpc.ui",
        Kind.PATH,
        Group.REMOTE,
        "Folder with a web client to serve on the same port, such as AriaNg.",
        '"~/AriaNg"',
        flags=("--rpc-ui",),
        metavar="DIR",
        must_exist=False,
    ),
    Option(
        "rpc.allow-shutdown",
        Kind.SWITCH,
        Group.REMOTE,
        "Let clients end fetchtui with aria2.shutdown.",
        "true",
        flags=("--rpc-allow-shutdown",),
        fallback=False,
    ),
    Option(
        "rpc.allow-origin",
        Kind.WORDS,
        Group.REMOTE,
        "Origin of another web page or of a browser extension that may connect;"
        " repeatable.",
        '["chrome-extension://mpkodccbngfoacfalldjimigbofkhgjn"]',
        flags=("--rpc-allow-origin",),
        metavar="ORIGIN",
        parse=parse_origin,
        fallback=(),
    ),
)

HOSTS: Final = (
    Option(
        "hosts",
        Kind.TABLE,
        Group.NETWORK,
        "Per-host settings; the first matching pattern applies.",
        '{ "*.example.org" = { cap = 2 } }',
        field="hosts",
        flags=("",),
        more='One table [hosts."PATTERN"] per host, *.example.org or HOST:PORT, with'
        " cap, limit-rate, headers, user, password-from, auth, bearer-from and proxy.",
    ),
)

HOST_KEYS: Final = (
    Option(
        "cap",
        Kind.WHOLE,
        Group.NETWORK,
        "Maximum simultaneous downloads from each matching origin; 0 uses per-host.",
        "2",
        fallback=0,
        high=MAX_CONCURRENCY,
    ),
    Option(
        "limit-rate",
        Kind.RATE,
        Group.NETWORK,
        "Rate limit in bytes per second for each matching origin.",
        '"2M"',
    ),
    *(
        option
        for option in (*NETWORK, *LOGIN)
        if option.key
        in ("headers", "proxy", "user", "password-from", "auth", "bearer-from")
    ),
)
"""Settings allowed in a ``[hosts]`` table."""


OPTIONS: Final[tuple[Option, ...]] = (
    *WHERE,
    *SPEED,
    *TRUST,
    *NETWORK,
    *HOSTS,
    *LOGIN,
    *AFTER,
    *DASHBOARD,
    *REMOTE,
)
"""Covers every field of ``Settings`` and of the settings of front ends."""

BY_KEY: Final = {option.key: option for option in OPTIONS}
BY_HOST_KEY: Final = {option.key: option for option in HOST_KEYS}
BY_VARIABLE: Final = {o.variable: o for o in OPTIONS if o.variable}

SECRET_KEYS: Final = {
    "password": "password-from",
    "proxy-password": "proxy-password-from",
    "passwd": "password-from",
    "secret": "password-from",
    "token": "bearer-from",
    "bearer": "bearer-from",
}
"""Keys under which users try to store secrets -> the key that takes a reference."""


def find(key: str) -> Option:
    """Return the option for a key.

    Raises:
        ValueError: unknown key; the message suggests a similar one.
    """
    from tui.config.values import suggest
    from tui.core.text.sanitize import sanitize

    key = key.removeprefix("--")
    option = BY_KEY.get(key)
    if option is None:
        option = next((o for o in OPTIONS if key in (o.name, o.variable)), None)
    if option is None:
        option = next((o for o in OPTIONS if f"--{key}" in o.spellings), None)
    if option is None:
        near = suggest(key, [*BY_KEY, *(o.name for o in OPTIONS)])
        raise ValueError(f"unknown setting {sanitize(key, 60)!r}{near}")
    return option
