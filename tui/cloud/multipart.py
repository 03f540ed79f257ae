"""Requests for uploads in parts to S3, signed with AWS Signature Version 4.

obstore uploads in parts, too, but each time from the beginning, and it cannot abort
what a killed process left, which nobody sees and which costs money.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import random
import re
from datetime import UTC, datetime
from html import escape, unescape
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlsplit

from tui.cloud.errors import S3Error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from types import TracebackType

    import httpx

    from tui.cloud.address import Address

_CONNECT_S = 10.0
_READ_S = 300.0
"""The store answers a completion only after it has joined the parts."""
_WRITE_S = 60.0
_ATTEMPTS = 5
_BACKOFF_S = 0.5
_LISTING_LIMIT = 8 << 20
_EMPTY = hashlib.sha256(b"").hexdigest()
_UPLOAD = re.compile(r"<Upload>(.*?)</Upload>", re.DOTALL)
_PART = re.compile(r"<Part>(.*?)</Part>", re.DOTALL)

_NOT_SIGNED_HERE = (
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
    "AWS_S3_EXPRESS",
    "AWS_SKIP_SIGNATURE",
    "AWS_REQUEST_PAYER",
    "AWS_SSE_CUSTOMER_KEY_BASE64",
)
"""Settings of obstore that change each request."""
_ENCRYPTION = {
    "AWS_SERVER_SIDE_ENCRYPTION": "x-amz-server-side-encryption",
    "AWS_SSE_KMS_KEY_ID": "x-amz-server-side-encryption-aws-kms-key-id",
    "AWS_SSE_BUCKET_KEY_ENABLED": "x-amz-server-side-encryption-bucket-key-enabled",
}


class Keys(NamedTuple):
    """Credentials and endpoint of S3."""

    key_id: str
    secret: str
    token: str
    region: str
    endpoint: str
    """"" for AWS itself."""
    encryption: tuple[tuple[str, str], ...] = ()
    """Headers of a new upload."""

    def __repr__(self) -> str:
        return f"Keys(region={self.region!r})"


class SentPart(NamedTuple):
    """A part that the store has."""

    etag: str
    size: int


def keys_of(options: Mapping[str, Any], environment: Mapping[str, str]) -> Keys | None:
    """Return static credentials, or ``None`` if requests cannot be signed here.

    That is so if a service provides the credentials (the role of a machine), or with
    rare settings of obstore.

    Args:
        options: the result of ``store.s3_options``.
        environment: the variables of the process.
    """
    key_id = options.get("access_key_id") or environment.get("AWS_ACCESS_KEY_ID", "")
    secret = options.get("secret_access_key") or environment.get(
        "AWS_SECRET_ACCESS_KEY", ""
    )
    if not (key_id and secret):
        return None
    for name in _NOT_SIGNED_HERE:
        if environment.get(name, "").lower() not in ("", "0", "false", "no", "off"):
            return None
    token = options.get("session_token") or environment.get("AWS_SESSION_TOKEN", "")
    encryption = {
        header: environment[name]
        for name, header in _ENCRYPTION.items()
        if environment.get(name)
    }
    if encryption.get("x-amz-server-side-encryption") == "sse-kms":
        # obstore's name of it.
        encryption["x-amz-server-side-encryption"] = "aws:kms"
    return Keys(
        key_id,
        secret,
        token,
        options.get("region") or "us-east-1",
        options.get("endpoint") or environment.get("AWS_ENDPOINT", ""),
        tuple(encryption.items()),
    )


class S3Client:
    """Uploads in parts to one bucket; an asynchronous context manager.

    Args:
        address: the bucket.
        keys: credentials.
    """

    def __init__(self, address: Address, keys: Keys) -> None:
        self._bucket = address.bucket
        self._keys = keys
        base = keys.endpoint or f"https://s3.{keys.region}.amazonaws.com"
        self._base = base.rstrip("/")
        self._client: httpx.AsyncClient | None = None
        self.repeated = 0
        """Requests that were sent again although the store may have done them."""

    async def __aenter__(self) -> S3Client:
        import httpx

        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(
                connect=_CONNECT_S, read=_READ_S, write=_WRITE_S, pool=None
            ),
            follow_redirects=False,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def create(self, key: str) -> str:
        """Start an upload; return its id.

        Raises:
            S3Error: it is refused.
        """
        headers = {"x-amz-checksum-algorithm": "SHA256", **dict(self._keys.encryption)}
        reply = await self._send("POST", key, {"uploads": ""}, headers=headers)
        upload_id = _field(reply.text, "UploadId")
        if not upload_id:
            raise S3Error(reply.status_code, "no UploadId in the response")
        return upload_id

    async def put_part(
        self,
        key: str,
        upload_id: str,
        number: int,
        content: Callable[[], AsyncIterator[bytes]],
        size: int,
        sha256: str,
    ) -> str:
        """Send a part; return its ETag.

        Args:
            key: the key of the upload.
            upload_id: its id.
            number: from 1.
            content: returns the bytes; called for each attempt.
            size: their number.
            sha256: their digest, which the store compares.

        Raises:
            S3Error: it is refused.
        """
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        reply = await self._send(
            "PUT",
            key,
            {"partNumber": str(number), "uploadId": upload_id},
            headers={
                "x-amz-checksum-sha256": checksum,
                "content-length": str(size),
            },
            content=content,
            sha256=sha256,
        )
        return str(reply.headers.get("etag", ""))

    async def parts(self, key: str, upload_id: str) -> dict[int, SentPart]:
        """Return the parts that the store has, by number.

        Raises:
            S3Error: there is no such upload, or the request is refused.
        """
        found: dict[int, SentPart] = {}
        marker = ""
        while True:
            query = {"uploadId": upload_id}
            if marker:
                query["part-number-marker"] = marker
            reply = await self._send("GET", key, query)
            for fields in _PART.findall(reply.text):
                number, size = _field(fields, "PartNumber"), _field(fields, "Size")
                if number.isdecimal() and size.isdecimal():
                    etag = _field(fields, "ETag")
                    found[int(number)] = SentPart(etag, int(size))
            following = _field(reply.text, "NextPartNumberMarker")
            if _field(reply.text, "IsTruncated") != "true" or following == marker:
                return found
            marker = following

    async def complete(
        self,
        key: str,
        upload_id: str,
        parts: list[tuple[str, str]],
        *,
        replaces: bool,
    ) -> None:
        """Make an object of the parts.

        Args:
            key: the key of the upload.
            upload_id: its id.
            parts: ETag and hexadecimal SHA-256 of each part, in order.
            replaces: replace an object that exists.

        Raises:
            S3Error: it is refused; with status 412 because there is an object.
        """
        lines = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(etag)}</ETag>"
            f"<ChecksumSHA256>{base64.b64encode(bytes.fromhex(sha256)).decode()}"
            "</ChecksumSHA256></Part>"
            for number, (etag, sha256) in enumerate(parts, 1)
        )
        body = (
            '<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"{lines}</CompleteMultipartUpload>"
        ).encode()

        async def content() -> AsyncIterator[bytes]:
            yield body

        headers = {
            "content-length": str(len(body)),
            "content-type": "application/xml",
        }
        if not replaces:
            headers["if-none-match"] = "*"
        reply = await self._send(
            "POST",
            key,
            {"uploadId": upload_id},
            headers=headers,
            content=content,
            sha256=hashlib.sha256(body).hexdigest(),
        )
        if "<Error>" in reply.text:
            # The status is sent before the parts are joined.
            code = _field(reply.text, "Code")
            raise S3Error(412 if code == "PreconditionFailed" else 500, code)

    async def abort(self, key: str, upload_id: str) -> bool:
        """Abort an upload; return False if there is none with this id.

        Raises:
            S3Error: it is refused.
        """
        try:
            await self._send("DELETE", key, {"uploadId": upload_id})
        except S3Error as error:
            if error.status == 404:
                return False
            raise
        return True

    async def uploads(self, key: str) -> list[str]:
        """Return the ids of all uploads to a key.

        Raises:
            S3Error: the request is refused.
        """
        reply = await self._send("GET", "", {"uploads": "", "prefix": key})
        return [
            _field(fields, "UploadId")
            for fields in _UPLOAD.findall(reply.text)
            if _field(fields, "Key") == key
        ]

    async def _send(
        self,
        method: str,
        key: str,
        query: dict[str, str],
        *,
        headers: Mapping[str, str] | None = None,
        content: Callable[[], AsyncIterator[bytes]] | None = None,
        sha256: str = _EMPTY,
    ) -> httpx.Response:
        """Send a signed request, again after transient errors.

        Raises:
            S3Error: it is refused.
        """
        import httpx

        assert self._client is not None
        path = f"/{self._bucket}/{quote(key, safe='/~')}".rstrip("/")
        search = "&".join(
            f"{quote(name, safe='~')}={quote(value, safe='~')}"
            for name, value in sorted(query.items())
        )
        for attempt in range(_ATTEMPTS):
            if attempt:
                pause = _BACKOFF_S * 2**attempt
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            signed = signed_headers(
                method,
                urlsplit(self._base).netloc,
                urlsplit(self._base).path + path,
                search,
                self._keys,
                datetime.now(UTC),
                sha256=sha256,
                more=headers or {},
            )
            try:
                reply = await self._client.request(
                    method,
                    f"{self._base}{path}?{search}",
                    headers=signed,
                    content=content() if content else None,
                )
            except httpx.TransportError as caught:
                error = S3Error(0, type(caught).__name__)
                self.repeated += 1
                continue
            if reply.status_code < 300:
                return reply
            text = reply.text[:_LISTING_LIMIT]
            error = S3Error(reply.status_code, _field(text, "Code"))
            if not _is_transient(error):
                break
            self.repeated += 1
        raise error


def _is_transient(error: S3Error) -> bool:
    if error.status == 501:
        return False
    return error.status in (408, 429) or error.status >= 500


def _field(text: str, name: str) -> str:
    """Return the text of the first element with a name; "" without one."""
    match = re.search(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
    return unescape(match[1]) if match else ""


def signed_headers(
    method: str,
    host: str,
    path: str,
    search: str,
    keys: Keys,
    now: datetime,
    *,
    sha256: str = _EMPTY,
    more: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the headers of a request, with its signature.

    Follows "Create a signed AWS API request" of the IAM User Guide.

    Args:
        method: of the request.
        host: with the port, if it is not the usual one.
        path: quoted.
        search: the query, quoted and sorted.
        keys: credentials.
        now: the time of the request, in UTC.
        sha256: hexadecimal digest of the body.
        more: headers that are sent and signed, too, in lower case.
    """
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    headers = {
        **(more or {}),
        "host": host,
        "x-amz-content-sha256": sha256,
        "x-amz-date": stamp,
    }
    if keys.token:
        headers["x-amz-security-token"] = keys.token
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"{method}\n{path}\n{search}\n{lines}\n{names}\n{sha256}"
    scope = f"{stamp[:8]}/{keys.region}/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    key = f"AWS4{keys.secret}".encode()
    for part in (stamp[:8], keys.region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={keys.key_id}/{scope},"
        f" SignedHeaders={names}, Signature={signature}"
    )
    return headers
