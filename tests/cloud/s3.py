"""An S3 server in memory, for tests: objects, conditions, and uploads in parts.

It checks the digests of bodies, and does what a test asks for: refuse requests, drop
responses, or wait before it answers.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
from dataclasses import dataclass, field
from html import escape, unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

_PART = re.compile(rb"<PartNumber>(\d+)</PartNumber><ETag>(.*?)</ETag>")


@dataclass
class Upload:
    """An upload in parts."""

    key: str
    parts: dict[int, bytes] = field(default_factory=dict)


class Request(NamedTuple):
    """What a test may decide about."""

    method: str
    key: str
    query: dict[str, str]


class Answer(NamedTuple):
    """A response."""

    status: int
    body: bytes = b""
    etag: str = ""


def _error(status: int, code: str) -> Answer:
    return Answer(status, f"<Error><Code>{code}</Code></Error>".encode())


def etag_of(body: bytes) -> str:
    """Return the ETag of an object or a part that was sent in one request."""
    return f'"{hashlib.md5(body).hexdigest()}"'


class S3Server:
    """See the module. Use it as a context manager."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, str]] = {}
        """Key -> body, ETag."""
        self.uploads: dict[str, Upload] = {}
        self.requests: list[Request] = []
        self.before: Callable[[Request], Answer | None] = lambda _request: None
        """Returns a response instead of the usual one, or ``None``."""
        self.drops: Callable[[Request], bool] = lambda _request: False
        """Whether the connection is closed instead of sending the response."""
        self._number = 0
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                server._handle(self)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _answer

            def handle(self) -> None:
                with contextlib.suppress(ConnectionError):
                    super().handle()

            def log_message(self, *arguments: object) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> S3Server:
        threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def bodies(self) -> dict[str, bytes]:
        """Return the objects."""
        return {key: body for key, (body, _) in self.objects.items()}

    def parts_sent(self) -> set[int]:
        """Return the numbers of the parts that were sent."""
        return {
            int(request.query["partNumber"])
            for request in self.requests
            if request.method == "PUT" and "partNumber" in request.query
        }

    def put(self, key: str, body: bytes) -> None:
        """Add an object of somebody else."""
        self.objects[key] = (body, etag_of(body))

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        key = unquote(parts.path).removeprefix("/bucket").lstrip("/")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        request = Request(handler.command, key, query)
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        self.requests.append(request)
        answer = self.before(request)
        if answer is None:
            with self._lock:
                answer = self._respond(request, body, dict(handler.headers.items()))
        if self.drops(request):
            handler.close_connection = True
            return
        handler.send_response(answer.status)
        if answer.etag:
            handler.send_header("ETag", answer.etag)
        handler.send_header("Last-Modified", "Wed, 01 Jan 2025 00:00:00 GMT")
        size = len(answer.body)
        if handler.command == "HEAD" and answer.status == 200:
            size = len(self.objects[key][0])
        handler.send_header("Content-Length", str(size))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(answer.body)

    def _respond(
        self, request: Request, body: bytes, headers: dict[str, str]
    ) -> Answer:
        method, key, query = request
        named = {name.lower(): value for name, value in headers.items()}
        digest = named.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        if digest not in ("UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()):
            return _error(400, "XAmzContentSHA256Mismatch")
        is_taken = named.get("if-none-match") == "*" and key in self.objects
        if "uploadId" in query:
            return self._respond_to_upload(request, body, is_taken)
        if "uploads" in query and method == "POST":
            self._number += 1
            self.uploads[str(self._number)] = Upload(key)
            return Answer(200, f"<UploadId>{self._number}</UploadId>".encode())
        if "uploads" in query:
            return Answer(200, self._list_uploads(query["prefix"]))
        if method == "PUT":
            if is_taken:
                return _error(412, "PreconditionFailed")
            self.objects[key] = (body, etag_of(body))
            return Answer(200, etag=etag_of(body))
        if method == "DELETE":
            self.objects.pop(key, None)
            return Answer(204)
        if not key:
            return Answer(200, self._list(query.get("prefix", "")))
        if key not in self.objects:
            return _error(404, "NoSuchKey")
        found, etag = self.objects[key]
        return Answer(200, b"" if method == "HEAD" else found, etag)

    def _respond_to_upload(
        self, request: Request, body: bytes, is_taken: bool
    ) -> Answer:
        method, key, query = request
        upload = self.uploads.get(query["uploadId"])
        if upload is None or upload.key != key:
            return _error(404, "NoSuchUpload")
        if method == "PUT":
            upload.parts[int(query["partNumber"])] = body
            return Answer(200, etag=etag_of(body))
        if method == "GET":
            lines = "".join(
                f"<Part><PartNumber>{number}</PartNumber><Size>{len(part)}</Size>"
                f"<ETag>{escape(etag_of(part))}</ETag></Part>"
                for number, part in sorted(upload.parts.items())
            )
            return Answer(200, f"<ListPartsResult>{lines}</ListPartsResult>".encode())
        if method == "DELETE":
            del self.uploads[query["uploadId"]]
            return Answer(204)
        if is_taken:
            return _error(412, "PreconditionFailed")
        chosen = [(int(n), unescape(etag.decode())) for n, etag in _PART.findall(body)]
        for number, etag in chosen:
            if number not in upload.parts or etag_of(upload.parts[number]) != etag:
                return _error(400, "InvalidPart")
        joined = b"".join(upload.parts[number] for number, _ in chosen)
        digests = b"".join(
            hashlib.md5(upload.parts[number]).digest() for number, _ in chosen
        )
        etag = f'"{hashlib.md5(digests).hexdigest()}-{len(chosen)}"'
        self.objects[key] = (joined, etag)
        del self.uploads[query["uploadId"]]
        return Answer(200, b"<CompleteMultipartUploadResult/>")

    def _list_uploads(self, prefix: str) -> bytes:
        return "".join(
            f"<Upload><Key>{escape(upload.key)}</Key><UploadId>{id}</UploadId></Upload>"
            for id, upload in self.uploads.items()
            if upload.key.startswith(prefix)
        ).encode()

    def _list(self, prefix: str) -> bytes:
        lines = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(body)}</Size>"
            f"<ETag>{escape(etag)}</ETag>"
            "<LastModified>2025-01-01T00:00:00.000Z</LastModified></Contents>"
            for key, (body, etag) in sorted(self.objects.items())
            if key.startswith(prefix)
        )
        return (
            "<ListBucketResult><IsTruncated>false</IsTruncated>"
            f"<KeyCount>{len(self.objects)}</KeyCount>{lines}</ListBucketResult>"
        ).encode()
