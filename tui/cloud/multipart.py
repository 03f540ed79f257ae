"""Find and abort multipart uploads that a killed run left in S3.

Their parts are invisible, and cost money until somebody aborts them. obstore cannot
list them, so the two requests are made and signed here (AWS Signature Version 4).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import urllib.error
import urllib.request
from datetime import UTC, datetime
from html import unescape
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tui.cloud.address import Address

_TIMEOUT_S = 30
_LISTING_LIMIT = 8 << 20
_UPLOAD = re.compile(r"<Upload>(.*?)</Upload>", re.DOTALL)
_KEY = re.compile(r"<Key>(.*?)</Key>", re.DOTALL)
_ID = re.compile(r"<UploadId>(.*?)</UploadId>", re.DOTALL)
_MARKERS = {
    "key-marker": re.compile(r"<NextKeyMarker>(.*?)</NextKeyMarker>", re.DOTALL),
    "upload-id-marker": re.compile(
        r"<NextUploadIdMarker>(.*?)</NextUploadIdMarker>", re.DOTALL
    ),
}


class Keys(NamedTuple):
    """Credentials and endpoint of S3."""

    key_id: str
    secret: str
    token: str
    region: str
    endpoint: str
    """"" for AWS itself."""

    def __repr__(self) -> str:
        return f"Keys(region={self.region!r})"


def keys_of(options: Mapping[str, Any], environment: Mapping[str, str]) -> Keys | None:
    """Return static credentials, or ``None`` if a service provides them.

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
    token = options.get("session_token") or environment.get("AWS_SESSION_TOKEN", "")
    region = options.get("region") or "us-east-1"
    return Keys(key_id, secret, token, region, options.get("endpoint", ""))


def abort_uploads(address: Address, keys: Keys, is_ours: Callable[[str], bool]) -> int:
    """Abort the uploads below a prefix that are ours; blocks. Return their number.

    Args:
        address: bucket and prefix.
        keys: credentials.
        is_ours: whether the upload to a key was started by fetchtui.

    Raises:
        OSError: the store cannot be reached or refuses it.
    """
    number = 0
    markers: dict[str, str] = {}
    while True:
        query = {"uploads": "", "prefix": address.prefix, **markers}
        text = _request("GET", address, keys, "", query)
        for fields in _UPLOAD.findall(text):
            # Their order depends on the service.
            key, upload = _KEY.search(fields), _ID.search(fields)
            if key is None or upload is None or not is_ours(unescape(key[1])):
                continue
            ids = {"uploadId": unescape(upload[1])}
            _request("DELETE", address, keys, unescape(key[1]), ids)
            number += 1
        if "<IsTruncated>true</IsTruncated>" not in text:
            return number
        markers = {
            name: unescape(match[1])
            for name, pattern in _MARKERS.items()
            if (match := pattern.search(text))
        }
        if not markers:
            return number


def _request(
    method: str, address: Address, keys: Keys, key: str, query: dict[str, str]
) -> str:
    """Send a signed request without a body; return the body of the response."""
    if keys.endpoint:
        base = keys.endpoint.rstrip("/")
        path = f"/{address.bucket}/{quote(key, safe='/~')}"
    else:
        base = f"https://{address.bucket}.s3.{keys.region}.amazonaws.com"
        path = f"/{quote(key, safe='/~')}"
    path = path.rstrip("/") or "/"
    pairs = sorted(
        (quote(name, safe="~"), quote(value, safe="~")) for name, value in query.items()
    )
    search = "&".join(f"{name}={value}" for name, value in pairs)
    headers = signed_headers(
        method, urlsplit(base).netloc, path, search, keys, datetime.now(UTC)
    )
    request = urllib.request.Request(
        f"{base}{path}?{search}", method=method, headers=headers
    )
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as reply:
        body: bytes = reply.read(_LISTING_LIMIT)
    return body.decode("utf-8", "replace")


def signed_headers(
    method: str, host: str, path: str, search: str, keys: Keys, now: datetime
) -> dict[str, str]:
    """Return the headers of a request without a body, with its signature.

    Follows "Create a signed AWS API request" of the IAM User Guide.
    """
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    empty = hashlib.sha256(b"").hexdigest()
    headers = {"host": host, "x-amz-content-sha256": empty, "x-amz-date": stamp}
    if keys.token:
        headers["x-amz-security-token"] = keys.token
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"{method}\n{path}\n{search}\n{lines}\n{names}\n{empty}"
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
