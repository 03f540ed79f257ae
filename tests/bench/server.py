"""nginx on loopback: the same server for all programs, with a self-made certificate."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import trustme

_CONFIG = """\
{user}
worker_processes {workers};
daemon off;
pid {home}/nginx.pid;
error_log {home}/error.log;
worker_rlimit_nofile 16384;
events {{ worker_connections 4096; }}
http {{
    # One line for each TLS connection, with its first request.
    map "$connection_requests$ssl_session_reused" $is_handshake {{
        default 0;
        "1." 1;
        "1r" 1;
    }}
    log_format handshake "$ssl_session_reused";
    access_log {home}/handshakes.log handshake if=$is_handshake;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 10000000;
    keepalive_timeout 60s;
    open_file_cache max=20000 inactive=300s;
    default_type application/octet-stream;
    client_body_temp_path {home}/t1;
    proxy_temp_path {home}/t2;
    fastcgi_temp_path {home}/t3;
    uwsgi_temp_path {home}/t4;
    scgi_temp_path {home}/t5;
    ssl_certificate {home}/chain.pem;
    ssl_certificate_key {home}/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:bench:1m;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        listen 127.0.0.1:{tls_port} ssl backlog=1024;
        root {data};
        # A list of any length from 100 files, or from a single one.
        location /list/ {{
            rewrite "^/list/.*(\\d\\d)\\.bin$" /small/0000$1.bin break;
        }}
        location /same/ {{ rewrite "^/same/([a-z0-9]+)/.*$" /one/$1.bin break; }}
    }}
}}
"""
_HOST = "localhost"
_START_S = 10.0


class Handshakes(NamedTuple):
    """TLS handshakes at the server."""

    full: int
    resumed: int


class NoServer(Exception):
    """nginx is missing or does not start; the message says what to do."""


class Server:
    """An nginx process in its own folder; use it in ``with``."""

    def __init__(self, home: Path, data: Path) -> None:
        program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        if program is None:
            raise NoServer("nginx is missing: apt install nginx-light (or brew, dnf)")
        self.ca_file = home / "ca.pem"
        self._program = program
        self._home = home
        self._data = data
        self._process: subprocess.Popen[bytes] | None = None
        self._ports = (0, 0)

    @property
    def ports(self) -> tuple[int, int]:
        """Ports of plain HTTP and of TLS."""
        return self._ports

    def url(self, path: str, *, is_tls: bool = False) -> str:
        """Return the URL of ``path``, which is relative to the data."""
        if is_tls:
            return f"https://{_HOST}:{self._ports[1]}/{path}"
        return f"http://127.0.0.1:{self._ports[0]}/{path}"

    def version(self) -> str:
        """Return the version of nginx."""
        found = subprocess.run(
            [self._program, "-v"], capture_output=True, text=True, check=False
        )
        return found.stderr.strip().removeprefix("nginx version: ").replace("/", " ")

    def take_handshakes(self) -> Handshakes:
        """Return the TLS handshakes since the last call, if a request followed."""
        log = self._home / "handshakes.log"
        lines = log.read_text().split()
        # nginx appends, so it goes on at the new end.
        os.truncate(log, 0)
        return Handshakes(lines.count("."), lines.count("r"))

    def processor_s(self) -> float:
        """CPU time of all its processes so far."""
        assert self._process is not None
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ticks = 0
        for number in (str(pid), *children):
            fields = Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / float(os.sysconf("SC_CLK_TCK"))

    def __enter__(self) -> Server:
        self._home.mkdir(parents=True, exist_ok=True)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca_file))
        certificate = authority.issue_cert(_HOST)
        certificate.private_key_pem.write_to_path(str(self._home / "key.pem"))
        for blob in certificate.cert_chain_pems:
            blob.write_to_path(str(self._home / "chain.pem"), append=True)
        for _ in range(5):  # somebody else may take a port that was free
            if self._start():
                return self
        log = (self._home / "error.log").read_text().strip().splitlines()
        raise NoServer(f"nginx does not start: {log[-1] if log else 'no reason told'}")

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)
            self._process.wait()

    def _start(self) -> bool:
        self._ports = free_ports()
        config = self._home / "nginx.conf"
        config.write_text(
            _CONFIG.format(
                user="user root;" if os.geteuid() == 0 else "",
                workers=os.cpu_count(),
                home=self._home,
                data=self._data,
                port=self._ports[0],
                tls_port=self._ports[1],
            )
        )
        log = str(self._home / "error.log")
        self._process = subprocess.Popen(
            [self._program, "-p", str(self._home), "-c", str(config), "-e", log],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + _START_S
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self._ports[0]), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return True
        self.__exit__()
        return False


def free_ports() -> tuple[int, int]:
    """Return two ports of loopback that nothing listens on."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
