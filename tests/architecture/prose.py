"""Phrases that this project does not use, and where they are looked for.

``python -m tests.architecture.prose [PATH...]`` prints every one of them with a better
word, for all documents and modules or for the modules below the paths.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.architecture.files import ROOT, documents, python_files, tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BANNED = {
    # Idioms that a reader has to translate.
    r"told": "shown, reported, given",
    r"tells?(?! (?:the user|you|whether|apart)\b)": "show, report, return, print",
    r"what holds|holds? (?:it|that|this) up|(?:that|which) holds": "effective, valid",
    r"(?<!there )(?:is|are|was|were) none": "there is no ..., is not a ...",
    r"(?<!there )(?:is|are|was) no (?!longer|more|less|different)\w+": "is not a ...",
    r"tak(?:es?|en|ing) away|took away|leave \w+ away": "remove, omit",
    r"tak(?:es?|en|ing) back|took back": "undo, restore, return",
    r"anew": "again",
    r"go(?:es|ing)? on(?! the\b)|went on|gone on": "continue, resume",
    r"stands? still|stood still|standing still": "pause, freeze, stop",
    r"(?:end|leav|clos|stop|quit|exit)\w* (?:\w+ ){0,3}in order(?! to\b)": "cleanly",
    r"who (?:says|said) so": "where it comes from",
    r"says? so": "name what reports it",
    r"a person|persons": "the user, you",
    r"(?:of|by) (?:ours|yours|theirs)": "our, your, their",
    r"(?:its|their) place": "position, path, slot",
    r"what is there": "existing ..., name it",
    r"whoever|whomever": "the caller, the user, name it",
    r"downloads at once": "concurrency",
    r"bound by": "limited by",
    r"bears|bore|bearable": "capacity, sustains",
    r"mend(?:s|ed|ing)?": "fix, repair",
    r"(?:is|are|be|was|were) whole": "complete",
    r"lies? (?:there|beside)": "exists, is next to",
    # Private names of things that have a standard one.
    r"faces?": "front end, renderer",
    r"wires?": "transport, network, HTTP client",
    r"(?<!round )(?<!round-)trips?": "executor call, batch",
    r"pour(?:s|ed|ing)?": "copy, direct copy",
    r"floods?|flooded|flooding": "high throughput, burst",
    r"kits?": "context",
    r"crews?": "worker pool",
    r"judg(?:e|es|ed|ing)": "validate, decide, check",
    r"settle[sd]?|settling": "finalize, resolve, decide",
    r"forg(?:ets?|ot|otten|etting|ives?|iving)": "remove, clear, reset",
    r"(?:chronicle|crier|mender|regret)s?": "see the glossary",
}
"""Pattern (whole words, any case) -> what to write instead."""

BRITISH = {
    r"(?:colou|honou|behaviou|neighbou|favou|armou)r\w*": "American spelling (color)",
    r"\w+(?:nal|mal|ogn|gan|tim|nit|tal|mar|til|ial)is(?:e|es|ed|ing|ation)": (
        "American spelling (-ize)"
    ),
    r"grey|licence|catalogue|cancelation": "American spelling",
}
"""The same for text that users read, where the spelling is American."""


class Finding(NamedTuple):
    """A banned phrase."""

    where: str
    phrase: str
    instead: str

    def __str__(self) -> str:
        """Return the line that tests and the command print."""
        return f"{self.where}: {self.phrase!r}; better: {self.instead}"


def compiled(*tables: dict[str, str]) -> list[tuple[re.Pattern[str], str]]:
    """Return patterns that match whole words in any case."""
    return [
        (re.compile(rf"(?<![\w./-])(?:{pattern})(?![\w-])", re.IGNORECASE), instead)
        for table in tables
        for pattern, instead in table.items()
    ]


FOR_CODE = compiled(BANNED)
FOR_USERS = compiled(BANNED, BRITISH)
_CODE = re.compile(r"```.*?```|``[^`]*``|`[^`]*`|\]\([^)]*\)", re.DOTALL)


def check(
    where: str,
    text: str,
    patterns: list[tuple[re.Pattern[str], str]],
    first_line: int = 1,
) -> Iterator[Finding]:
    """Yield what is wrong with a text; code in backticks may say anything."""
    if "`" in text:
        text = _CODE.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), text)
    for pattern, instead in patterns:
        for match in pattern.finditer(text):
            line = text.count("\n", 0, match.start()) + first_line
            phrase = " ".join(match[0].split())
            yield Finding(f"{where}:{line}", phrase, instead)


def in_documents() -> Iterator[Finding]:
    """Check README, guide, changelog, the pages for contributors and sample lists.

    The guide has the tables of options and actions, so their texts are checked here.
    """
    for path in [*documents(), *sorted((ROOT / "sample_lists").glob("*.txt"))]:
        text = path.read_text()
        yield from check(path.relative_to(ROOT).as_posix(), text, FOR_USERS)


def in_modules(paths: Iterable[Path]) -> Iterator[Finding]:
    """Check the docstrings, comments and strings of modules.

    The strings of ``tui/messages.py`` are texts for users like the documents.
    """
    for path in paths:
        name = path.relative_to(ROOT).as_posix()
        patterns = FOR_USERS if name == "tui/messages.py" else FOR_CODE
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from check(name, node.value, patterns, node.lineno)
        for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
            if token.type == tokenize.COMMENT:
                yield from check(name, token.string, FOR_CODE, token.start[0])


def main() -> None:
    """Print all findings."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("paths", nargs="*", type=Path)
    chosen = [path.absolute() for path in parser.parse_args().paths]
    modules = [
        path
        for path in python_files("tui")
        if not chosen or any(path.is_relative_to(below) for below in chosen)
    ]
    found = list(in_modules(modules))
    if not chosen:
        found = [*in_documents(), *found]
    for finding in found:
        print(finding)
    print(f"{len(found)} found")


if __name__ == "__main__":
    main()
