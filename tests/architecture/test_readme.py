"""README and guide agree with the program: options, keys, statuses, examples."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from tests import check
from tests.architecture import readme
from tests.architecture.files import ROOT, documents
from tui.cli.main import main
from tui.cli.subcommands import SUBCOMMANDS, find_subcommand
from tui.core.request import ALGORITHMS
from tui.core.settings import OnExists

TEXT = readme.guide()
SPELLED_OUT = re.sub(r"--\[no-\]([a-z0-9-]+)", r"--\1 --no-\1", TEXT)


def options_of(command: click.Command) -> set[str]:
    """Return the spellings of a command's options, and of those below it."""
    own = {
        name
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("--")
    }
    inner = command.commands.values() if isinstance(command, click.Group) else ()
    return own.union(*map(options_of, inner))


OPTIONS = options_of(main)
SUBCOMMAND_OPTIONS = set().union(*(options_of(find_subcommand(n)) for n in SUBCOMMANDS))


@pytest.mark.parametrize("table", readme.TABLES)
def test_generated_tables_are_up_to_date(table):
    page, _ = readme.TABLES[table]
    assert readme.part(ROOT / page, table) == readme.generated(table), (
        "run: python -m tests.architecture.readme"
    )


def test_both_commands_set_up_and_run_in_one_line():
    for name in ("demo", "tests"):
        make, install, _ = readme.command(name).split(" && ")
        assert make.startswith("python3 -m venv ")
        assert make.endswith(" .venv")
        assert install.startswith(".venv/bin/pip install ")
    assert readme.command("demo").endswith(" && .venv/bin/fetchtui --demo")
    assert readme.command("tests").endswith(" && .venv/bin/python -m tests.check")


@pytest.mark.parametrize("arguments", [["--help"], ["tests/ui"], ["--checks", "-x"]])
def test_the_check_runs_nothing_with_arguments_that_it_does_not_know(
    arguments, monkeypatch, capsys
):
    for name in ("main", "run_checks"):
        monkeypatch.setattr(check, name, lambda: pytest.fail("it was run"))
    assert check.run_as_program(arguments) == 2
    assert "usage: python -m tests.check" in capsys.readouterr().err


def test_the_continuous_check_runs_the_command_of_the_readme():
    script = (ROOT / ".ci" / "run").read_text()
    assert "<!-- tests -->" in script
    assert "pip install" not in script


@pytest.mark.parametrize("option", sorted(OPTIONS - {"--help"}))
def test_every_option_is_explained(option):
    assert f"`{option}" in SPELLED_OUT or f" {option}" in SPELLED_OUT


def test_no_option_is_explained_that_does_not_exist():
    # Set-up and measuring commands have options of their own.
    others = (
        r"```sh\n(?:python3|pipx) .*?```|`python\s-m\s+tests\.[^`]*`"
        r"|## Coming from .*?## Performance|`(?:curl|wget|gpg) [^`]*`"
    )
    ours = re.sub(others, "", SPELLED_OUT, flags=re.DOTALL)
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", ours))
    assert (
        named - OPTIONS - SUBCOMMAND_OPTIONS - {"--version", "--help", "--input-file"}
        == set()
    )


@pytest.mark.parametrize("status", ["0", "1", "2", "130"])
def test_every_exit_status_is_explained(status):
    assert re.search(rf"^\| `{status}` \|", TEXT, re.MULTILINE)


@pytest.mark.parametrize("choice", [choice.value for choice in OnExists])
def test_every_way_to_treat_an_existing_file_is_explained(choice):
    assert f"`{choice}`" in TEXT


def test_every_kind_of_checksum_is_named():
    for name in set(ALGORITHMS.values()):
        spelled = re.sub(r"^sha(\d)", r"sha-\1", name)
        assert spelled in TEXT


def test_the_readme_stays_short():
    assert len(readme.README.read_text().splitlines()) <= 165


def test_the_readme_links_every_topic():
    links = re.findall(r"\]\(tui/docs/([^)#]+)\)", readme.README.read_text())
    assert set(links) == {path.name for path in readme.DOCS.glob("*.md")}


@pytest.mark.parametrize(
    "page", documents(), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_links_lead_to_files_that_exist(page):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize(
    ("page", "below"),
    [
        ("tui/README.md", "tui"),
        (".github/CONTRIBUTING.md", ""),
    ],
)
def test_paths_in_the_pages_for_contributors_exist(page, below):
    text = (ROOT / page).read_text()
    named = re.findall(r"`([a-z][\w-]*(?:/[\w.-]+)*(?:/|\.py))`", text)
    assert named
    bare = {"base.py", "error_mapping.py", "repair.py"}
    wrong = [
        path
        for path in named
        if path not in bare
        and not (ROOT / below / path).exists()
        and not (ROOT / path).exists()
    ]
    assert wrong == []


def test_examples_name_lists_that_exist():
    for name in re.findall(r"sample_lists/[\w.-]+", TEXT):
        assert Path(ROOT / name).exists(), name
