"""Errors for unknown options: hints for users of other programs, and close matches."""

from __future__ import annotations

from difflib import get_close_matches

import click

_CLOSE = 0.75
"""Similarity of names, 0 to 1; below this, a suggestion is rarely what was meant."""

_HINTS: dict[str, str] = {
    **dict.fromkeys(
        ("--jobs", "--parallel", "--parallel-max", "--max-concurrent-downloads"),
        "use -j N to set the number of downloads at a time",
    ),
    **dict.fromkeys(
        ("--split", "--max-connection-per-server"),
        "use -x N to set the connections per download",
    ),
    **dict.fromkeys(
        ("-P", "--dir", "--directory-prefix"), "use -d DIR to set the directory"
    ),
    **dict.fromkeys(
        ("--out", "--output-document"), "use -O NAME to set the name of a file"
    ),
    "--remote-name": "leave it out: files are named after the server or the URL anyway",
    "-U": "use -A TEXT to set the user agent",
    "-e": "use --referer URL to set the referer",
    **dict.fromkeys(
        ("-C", "--continue", "--continue-at"),
        "leave it out: unfinished downloads are resumed anyway",
    ),
    **dict.fromkeys(
        ("-L", "--location"), "leave it out: redirects are followed anyway"
    ),
    **dict.fromkeys(
        ("-Z", "--parallel-immediate"),
        "leave it out: downloads run in parallel; -j N sets how many",
    ),
    **dict.fromkeys(
        ("-k", "--insecure", "--no-check-certificate", "--check-certificate"),
        "certificates are always verified; --ca-file FILE adds one to trust",
    ),
    "-K": "give the list as an argument: fetchtui LIST",
    **dict.fromkeys(
        ("-N", "--timestamping", "-z", "--time-cond", "--conditional-get"),
        "use --on-exists newer to replace a file only by a newer one",
    ),
    **dict.fromkeys(
        ("--http-user", "--http-passwd", "--http-password"),
        "use -u NAME, which asks for the password, or --netrc",
    ),
    **dict.fromkeys(
        ("--max-overall-download-limit", "--max-download-limit"),
        "use --limit-rate RATE",
    ),
    **dict.fromkeys(("--enable-rpc", "--rpc-listen-port"), "use --rpc [HOST:]PORT"),
    **dict.fromkeys(("--load-cookies", "--cookie"), "use --cookies FILE"),
    **dict.fromkeys(("--tries", "--max-tries"), "use --retries N"),
    "-t": "use --retries N or --timeout SECONDS",
    **dict.fromkeys(("--silent", "-S", "--show-error"), "use -q to print errors only"),
    "-D": "use -b to download in the background",
    "--daemon": "use -b to download in the background",
    "-V": "use --version",
}
"""What to use instead of options of aria2, curl and wget."""


def explain_unknown(error: click.NoSuchOption, *, has_hints: bool) -> click.UsageError:
    """Return an error that says what to use instead.

    Args:
        error: click's error, whose suggestions are far-fetched.
        has_hints: whether options of other programs have a counterpart here.
    """
    name = error.option_name
    text = f"no such option {name!r}"
    if has_hints and name in _HINTS:
        return click.UsageError(f"{text}; {_HINTS[name]}", error.ctx)
    command = None if error.ctx is None else error.ctx.command
    known = (
        [flag for option in command.params for flag in option.opts] if command else []
    )
    known += error.ctx.help_option_names if error.ctx is not None else []
    known = [flag for flag in known if flag.startswith("--")]
    close = get_close_matches(name, known, 1, _CLOSE) if len(name) > 2 else []
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return click.UsageError(f"{text}{hint}", error.ctx)
