"""Where a background process listens, and the lock that allows only one of a name.

The lock is in the state directory, since the runtime directory of a user disappears
when he logs out everywhere, while the process may stay. The lock file also contains the
path of the socket, so that clients with another environment (cron, sudo) find it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tui.background.name import DEFAULT_NAME, check_name, is_name
from tui.core.text.sanitize import sanitize

if TYPE_CHECKING:
    from tui.background.protocol import Hello

_PATH_LIMIT: Final = 100
"""Bytes: the address of a Unix socket has 104 on macOS and 108 on Linux."""
_RECORD_LIMIT: Final = 4096
_TRIES: Final = 10
_TRY_INTERVAL_S: Final = 0.02


class AddressError(Exception):
    """An address cannot be used; ``str()`` says why, and what to do."""


class Address(NamedTuple):
    """The paths of a background process."""

    name: str
    folder: Path
    """For its lock, its log and its session; only the user may read it."""
    socket: Path

    @property
    def lock(self) -> Path:
        """The file that the process keeps locked."""
        return self.folder / "lock"

    @property
    def log(self) -> Path:
        """The log of the process."""
        return self.folder / "log"


class Record(NamedTuple):
    """What a running process wrote into its lock file."""

    pid: int
    version: str
    started_at: float
    """Wall time."""
    socket: Path


def states_dir() -> Path:
    """Return the folder that has one folder for each name."""
    from tui.disk.state.location import state_dir

    return state_dir() / "background"


def address_of(name: str = DEFAULT_NAME) -> Address:
    """Return where a process of this name listens; nothing is created.

    Raises:
        ValueError: the name is not allowed.
    """
    folder = states_dir() / check_name(name)
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    own_state = os.environ.get("FETCHTUI_STATE_DIR")
    if runtime.startswith("/") and not own_state and os.path.isdir(runtime):
        base = Path(runtime) / "fetchtui"
    else:
        base = folder
    socket = base / f"{name}.sock"
    if len(os.fsencode(socket)) > _PATH_LIMIT:
        import hashlib
        import tempfile

        digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
        base = Path(tempfile.gettempdir()) / f"fetchtui-{os.getuid()}"
        socket = base / f"{digest}.sock"
    return Address(name, folder, socket)


def names() -> list[str]:
    """Return the names that have or had a process, in alphabetical order."""
    try:
        found = os.listdir(states_dir())
    except OSError:
        return []
    return sorted(name for name in found if is_name(name))


def running_names() -> list[str]:
    """Return the names of the running processes; costs a look where there are none."""
    return [name for name in names() if running(address_of(name)) is not None]


def make_private(folder: Path) -> None:
    """Create a folder that only the user can enter, or check that it is one.

    Raises:
        AddressError: it cannot be created, or somebody else could change it.
    """
    try:
        folder.mkdir(0o700, parents=True, exist_ok=True)
        found = os.lstat(folder)
        is_private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
        if is_private and found.st_mode & 0o077:
            os.chmod(folder, 0o700)
    except FileExistsError:
        is_private = False
    except OSError as error:
        raise AddressError(
            f"cannot use the folder {sanitize(str(folder))!r}: {error.strerror}"
        ) from None
    if not is_private:
        raise AddressError(
            f"{sanitize(str(folder))!r} is not a folder of your user; remove it"
        )


class Lock:
    """The lock of a name; the kernel releases it when the process ends."""

    def __init__(self, address: Address) -> None:
        """Prepare to lock; nothing is created yet."""
        self._address = address
        self._fd = -1

    def acquire(self) -> bool:
        """Lock the name; return False if another process has it.

        Raises:
            AddressError: the lock file cannot be created.
        """
        make_private(self._address.folder.parent)
        make_private(self._address.folder)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            fd = os.open(self._address.lock, flags, 0o600)
        except OSError as error:
            path = sanitize(str(self._address.lock))
            raise AddressError(f"cannot create {path!r}: {error.strerror}") from None
        # A client that looks whether a process runs has the lock for a moment.
        for _ in range(_TRIES):
            if _try_lock(fd):
                break
            time.sleep(_TRY_INTERVAL_S)
        else:
            os.close(fd)
            return False
        self._fd = fd
        return True

    def write(self, hello: Hello) -> None:
        """Write who has the lock; a full disk only makes the process harder to find."""
        import json

        record = {
            "pid": hello.pid,
            "version": hello.version,
            "started_at": hello.started_at,
            "socket": str(self._address.socket),
        }
        with suppress(OSError):
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, json.dumps(record).encode(), 0)

    def release(self) -> None:
        """Release the lock; safe to call twice."""
        if self._fd >= 0:
            with suppress(OSError):
                os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1


def running(address: Address) -> Record | None:
    """Return what the running process of a name wrote; ``None`` if there is none.

    The lock decides, not the socket, which outlives a killed process.
    """
    try:
        fd = os.open(address.lock, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        if _try_lock(fd):
            return None
        return _read_record(os.pread(fd, _RECORD_LIMIT, 0), address)
    except OSError:
        return None
    finally:
        os.close(fd)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def _read_record(data: bytes, address: Address) -> Record:
    """Return a record; defaults where a process did not get as far as to write it."""
    import json

    try:
        found: Any = json.loads(data)
    except ValueError:
        found = {}
    if not isinstance(found, dict):
        found = {}
    pid, version = found.get("pid"), found.get("version")
    started_at, socket = found.get("started_at"), found.get("socket")
    return Record(
        pid if type(pid) is int else 0,
        sanitize(version, 40) if isinstance(version, str) else "",
        float(started_at) if isinstance(started_at, int | float) else 0.0,
        Path(socket) if isinstance(socket, str) else address.socket,
    )
