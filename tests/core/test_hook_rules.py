"""Hooks in which a program would run a placeholder's value as code."""

from __future__ import annotations

import pytest

from tui.core.rules.hooks import code_arguments

CODE = [
    "sh -c {name}",
    "sh -c -- {name}",
    "bash -o pipefail -ec {name}",
    "bash -c -x {path}",
    "sh -c ./{name}",
    "/usr/bin/env A=1 nice /bin/dash -c {error} x",
    "busybox sh -c {name}",
    "su -c {name} nobody",
    "script -qc {name} /dev/null",
    "flock lock -c {name}",
    "fish --command={name}",
    "pwsh -Command {name}",
    "python3.12 -c {name}",
    "python3 -c{name}",
    "perl -ne {name} /etc/passwd",
    "node --eval {name}",
    "ruby -e {name}",
    "php -r {name}",
    "find . -exec sh -c {name} ;",
    "xargs sh -c {name}",
    "env -S {name}",
    "ssh host process {path}",
    "watch -n 1 {name}",
    "parallel {name}",
    "tmux new-window {name}",
    "make FILE={name}",
    "awk {name}",
    "gawk -F : {name}",
    "sed -n {name} file",
    "vim -c {name}",
    "rsync -e {name} a b:",
    "tar --to-command={name} -xf x.tar",
    "tar -cf x.tar --checkpoint-action=exec={name} x",
    "git -c core.pager={name} log",
    "psql -c {name}",
]
HARMLESS = [
    "mv {path} /srv/new/",
    "mv -c {path}",
    "sh {path}",
    "sh -c 'echo' _ {path}",
    "sh script.sh -c {path}",
    "python convert.py -c {path} -e {name}",
    "tar -xf {path}",
    "rsync -a {path} host:",
    "git add {path}",
    "scp {path} host:in/{name}",
    "notify-send {name} {error}",
    "curl -F file=@{path} https://h/",
    "cp {path} sh",
    "sh -c {nothing}",
    "sed -n 1p {path}",
    "awk 1 {path}",
    "awk -f prog.awk {path}",
    "sed -e 1p {path}",
    "tar -c {path} -f out.tar",
    "rsync -avp {path} host:",
    "sudo -u me cp {path} /srv/",
]


@pytest.mark.parametrize("command", CODE)
def test_a_value_that_would_run_as_code_is_found(command):
    assert code_arguments(command.split()) != []


@pytest.mark.parametrize("command", HARMLESS)
def test_other_arguments_may_be_replaced(command):
    assert code_arguments(command.split()) == []
