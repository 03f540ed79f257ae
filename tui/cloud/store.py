"""Open a store with the credentials that its other tools use.

Everything comes from the environment (``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL``,
``GOOGLE_APPLICATION_CREDENTIALS``, ``AZURE_STORAGE_ACCOUNT_KEY``, ...) or, for S3, from
the profile ``AWS_PROFILE`` in ``~/.aws``. Nothing of it is stored or shown.
"""

from __future__ import annotations

import configparser
import os
import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.cloud.errors import CloudError, S3Error
from tui.core.text.sanitize import sanitize

if TYPE_CHECKING:
    from tui.cloud.address import Address

_PROFILE_KEYS = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "region": "region",
    "endpoint_url": "endpoint",
}
"""Keys of ``~/.aws`` -> options of the store."""
_VARIABLES = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
_REFUSAL_CODES = (
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "AccessDenied",
)
# What obstore says before the reason: the key as it is, and the URL with the key in it.
_REQUEST = re.compile(r"\A.*?performing [A-Z]+ \S+( in \S+)?( - )?", re.DOTALL)
_RESPONSE = re.compile(r"Server returned non-2xx status code: (\d{3})\b")
_CODE = re.compile(r"<Code>(\w{1,100})</Code>")
# Where a machine in a cloud asks for the credentials of its role.
_ROLE_CREDENTIALS = re.compile(r"performing [A-Z]+ https?://169\.254\.169\.254[:/]")
_HEADS = 16
"""Requests at a time for objects that may be marks of folders."""
_RETRIES = 3
_RETRY_S = 60
_TIMEOUT = "300s"


def open_store(address: Address) -> Any:
    """Return obstore's store for a bucket; no request is made.

    Raises:
        CloudError: obstore is missing, or the credentials cannot be used.
    """
    try:
        from datetime import timedelta

        from obstore import store as stores
    except ImportError:
        raise CloudError(
            f"{address.scheme}:// needs obstore; pip install 'fetchtui[cloud]'"
        ) from None
    retry: dict[str, Any] = {
        "max_retries": _RETRIES,
        "retry_timeout": timedelta(seconds=_RETRY_S),
    }
    try:
        if address.scheme == "s3":
            return stores.S3Store(
                address.bucket,
                config=s3_options(os.environ),
                retry_config=retry,
                client_options=_client_options(),
            )
        kind = stores.GCSStore if address.scheme == "gs" else stores.AzureStore
        return kind(
            address.bucket, retry_config=retry, client_options=_client_options()
        )
    except CloudError:
        raise  # of the profile
    except Exception as error:
        raise explained(error, address) from None


def s3_options(environment: Any) -> dict[str, Any]:
    """Return options of S3: those of the profile that the environment does not set."""
    options: dict[str, Any] = {
        # A copy that fails if the target exists, also for S3.
        "copy_if_not_exists": "multipart",
        "checksum_algorithm": "SHA256",
    }
    endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get(
        "AWS_ENDPOINT_URL"
    )
    if endpoint:
        options["endpoint"] = endpoint
    if environment.get("AWS_ACCESS_KEY_ID") and not environment.get("AWS_PROFILE"):
        return _with_region(options, environment)
    profile = environment.get("AWS_PROFILE") or "default"
    home = Path(environment.get("HOME", "~")).expanduser()
    files = (
        (environment.get("AWS_CONFIG_FILE") or home / ".aws" / "config", "profile "),
        (
            environment.get("AWS_SHARED_CREDENTIALS_FILE")
            or home / ".aws" / "credentials",
            "",
        ),
    )
    is_found = False
    for path, prefix in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, "utf-8")
        except (configparser.Error, UnicodeDecodeError):
            raise CloudError(
                f"{sanitize(str(path))} cannot be read as a profile file; correct it"
            ) from None
        for section in {f"{prefix}{profile}", profile}:
            if parser.has_section(section):
                is_found = True
                for name, option in _PROFILE_KEYS.items():
                    if value := parser.get(section, name, fallback=""):
                        options.setdefault(option, value)
    if not is_found and environment.get("AWS_PROFILE"):
        raise CloudError(
            f"AWS_PROFILE is {sanitize(profile, 60)!r}, and ~/.aws has no such profile"
        )
    return _with_region(options, environment)


def _with_region(options: dict[str, Any], environment: Any) -> dict[str, Any]:
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if region:
        options["region"] = region
    elif "region" not in options and "endpoint" in options:
        # Services that are compatible with S3 accept any region.
        options["region"] = "us-east-1"
    return options


def _client_options() -> dict[str, Any]:
    """Allow an endpoint without TLS, which only a user's own setting can name.

    Completing an upload takes long, because the store joins its parts then, and so does
    sending a part over a slow line.
    """
    return {"allow_http": True, "timeout": _TIMEOUT, "connect_timeout": "10s"}


def object_keys(store: Any, prefix: str) -> list[str]:
    """Return the keys of all objects below a prefix.

    Consoles mark a folder with an empty object whose key ends in a slash. obstore lists
    it without the slash, under a key that does not exist.

    Args:
        store: from ``open_store``.
        prefix: ends in a slash, or is "" for the whole bucket.
    """
    import obstore

    found = [entry for batch in obstore.list(store, prefix=prefix) for entry in batch]
    empty = [entry["path"] for entry in found if not entry["size"]]
    with ThreadPoolExecutor(_HEADS) as pool:
        exists = dict(zip(empty, pool.map(partial(_exists, store), empty), strict=True))
    return [entry["path"] for entry in found if exists.get(entry["path"], True)]


def may_exist(store: Any, key: str) -> bool:
    """Return False if a store says that there is no such object.

    Some credentials may get an object but not ask for it.
    """
    try:
        return _exists(store, key)
    except Exception:  # obstore's own, of many kinds
        return True


def _exists(store: Any, key: str) -> bool:
    import obstore

    try:
        obstore.head(store, key)
    except FileNotFoundError:
        return False
    return True


def explained(error: Exception, address: Address) -> CloudError:
    """Return an error of obstore in words, without what may be secret."""
    where = sanitize(str(address))
    status, code, text = _parts(error)
    if code == "NoSuchUpload":
        return CloudError(f"{where}: an upload was interrupted; run it again")
    if code == "NoSuchKey":
        return CloudError(f"{where}: no such object")
    kind = type(error).__name__
    if kind in ("UnauthenticatedError", "PermissionDeniedError"):
        return CloudError(
            f"{where} refused access; check the credentials in the environment or the"
            " profile, and the permissions of the bucket"
        )
    if kind == "NotFoundError" or status == 404 or code == "NoSuchBucket":
        return CloudError(f"{where}: no such bucket; create it first")
    if code == "RequestTimeTooSkewed":
        return CloudError(f"{where} refused the time of this machine; set its clock")
    if _ROLE_CREDENTIALS.search(str(error)):
        # Whatever answered there.
        return _without_credentials(address)
    if status in (401, 403) or code in _REFUSAL_CODES:
        return CloudError(
            f"{where} refused access; the credentials are wrong or expired"
        )
    if "credential" in text.lower():
        return _without_credentials(address)
    if any(word in text for word in ("error sending request", "connect", "timed out")):
        return CloudError(f"{where} cannot be reached; check the network and endpoint")
    if status:
        return CloudError(f"{where} answered {sanitize(f'{status} {code}', 100)}")
    return CloudError(f"{where}: {sanitize(kind, 60)}")


def _parts(error: Exception) -> tuple[int, str, str]:
    """Return the status, the store's name of an error, and the library's words.

    The status is 0 and the name "" without a response. The words contain nothing that a
    user or a store chose: a key or the body of a response may hold any word and digits.
    """
    if isinstance(error, S3Error):
        return error.status, error.code, "" if error.status else str(error)
    # Its second paragraph repeats the first one in another form.
    text = str(error).partition("\n\nDebug source:")[0]
    # "Object at location KEY not found: Error performing PUT URL in 1.2s - REASON"
    words = _REQUEST.sub("", text)
    response = _RESPONSE.search(words)
    code = _CODE.search(words)
    if response is not None:
        words = words[: response.start()]
    elif code is not None:
        words = words[: code.start()]
    return int(response[1]) if response else 0, code[1] if code else "", words


def _without_credentials(address: Address) -> CloudError:
    return CloudError(
        f"no credentials for {sanitize(str(address))}; set {_VARIABLES[address.scheme]}"
    )
