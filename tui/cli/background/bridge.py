"""``fetchtui bridge``: standard input and output as the socket of a process.

``fetchtui attach ssh://HOST`` runs it on HOST, so that keys, agents and jump hosts are
those of ssh, and no port is opened.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress

import click

from tui.background.address import address_of, running
from tui.cli.background.connection import NoProcess, lost, name_argument, not_running

_CHUNK = 1 << 16


@click.command()
@name_argument
def bridge(name: str) -> None:
    """Connect stdin and stdout to the background process NAME, for use over ssh."""
    record = running(address_of(name))
    if record is None:
        raise NoProcess(not_running(name))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        try:
            peer.connect(str(record.socket))
        except OSError as error:
            raise NoProcess(lost(name, error.strerror or "")) from None
        # A daemon: reading from stdin cannot be interrupted.
        threading.Thread(target=_send, args=(peer,), daemon=True).start()
        with suppress(OSError):  # ssh is gone
            while data := peer.recv(_CHUNK):
                _write_all(data)
    # Without the interpreter's clean-up, which could wait for the thread's stdin.
    os._exit(0)


def _send(peer: socket.socket) -> None:
    with suppress(OSError):
        while data := os.read(0, _CHUNK):
            peer.sendall(data)
    with suppress(OSError):
        peer.shutdown(socket.SHUT_WR)


def _write_all(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]
