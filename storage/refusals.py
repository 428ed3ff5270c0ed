"""What a refusal of an S3 server means, by the code and the status of its answer."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus
from xml.etree.ElementTree import ParseError

from minio.error import InvalidResponseError, S3Error, ServerError
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError, MaxRetryError, SSLError

from storage.errors import (
    MissingObjectError,
    StorageError,
    StoreFullError,
    StoreReadOnlyError,
    StoreUnavailableError,
    UnknownStoreError,
    UnsafeStoreError,
)

ADVICE: dict[type[StorageError], str] = {
    StoreFullError: "free space, raise the quota, or choose another store",
    StoreReadOnlyError: "check the credentials, the clock, and what this user may do there",
    MissingObjectError: "check the key and the store, or make it again",
    StoreUnavailableError: "check that the server runs and can be reached, then try again",
    UnsafeStoreError: "choose another server, or leave the option out of the store's address",
    UnknownStoreError: "check the host, port, region and secure option of the store's address",
}

_KIND_BY_CODE: dict[str, type[StorageError]] = {
    "XMinioStorageFull": StoreFullError,
    "QuotaExceeded": StoreFullError,
    "XMinioAdminBucketQuotaExceeded": StoreFullError,
    "NotImplemented": UnsafeStoreError,
    "BadDigest": StoreUnavailableError,
    "XAmzContentSHA256Mismatch": StoreUnavailableError,
    "XAmzContentChecksumMismatch": StoreUnavailableError,
    "IncompleteBody": StoreUnavailableError,
    "RequestTimeout": StoreUnavailableError,
}
_KIND_BY_STATUS: dict[int, type[StorageError]] = {
    HTTPStatus.UNAUTHORIZED: StoreReadOnlyError,
    HTTPStatus.FORBIDDEN: StoreReadOnlyError,
    HTTPStatus.NOT_FOUND: MissingObjectError,
    HTTPStatus.METHOD_NOT_ALLOWED: StoreReadOnlyError,
    HTTPStatus.REQUEST_TIMEOUT: StoreUnavailableError,
    HTTPStatus.CONFLICT: StoreUnavailableError,
    HTTPStatus.TOO_MANY_REQUESTS: StoreUnavailableError,
    HTTPStatus.INSUFFICIENT_STORAGE: StoreFullError,
}


def refusal(address: str, status: int, code: str = "") -> StorageError:
    """Choose the error for an answer: by its code, else by its status; a fault of the server's own is transient."""
    is_server_fault = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    fallback = StoreUnavailableError if is_server_fault else UnknownStoreError
    kind = _KIND_BY_CODE.get(code) or _KIND_BY_STATUS.get(status) or fallback
    return kind(f"The server refused {address} ({f'{status} {code}'.rstrip()}): {ADVICE[kind]}.")


def refusal_of(address: str, response: BaseHTTPResponse) -> StorageError:
    """Choose the error for an answer that the client has not read."""
    code = re.search(rb"<Code>(\w+)</Code>", response.data)
    return refusal(address, response.status, code[1].decode() if code else "")


@contextmanager
def translated(address: str) -> Generator[None]:
    """Turn what minio and urllib3 raise into our errors."""
    try:
        yield
    except S3Error as exc:
        raise refusal(address, exc.response.status, exc.code or "") from exc
    except ServerError as exc:
        raise refusal(address, exc.status_code) from exc
    except InvalidResponseError as exc:
        status = re.search(r"Response code: (\d+)", str(exc))
        raise refusal(address, int(status[1]) if status else HTTPStatus.BAD_GATEWAY) from exc
    except ParseError as exc:
        msg = f"What answers for {address} is no S3 server: {ADVICE[UnknownStoreError]}."
        raise UnknownStoreError(msg) from exc
    except HTTPError as exc:
        reason = exc.reason if isinstance(exc, MaxRetryError) else exc
        if isinstance(reason, SSLError):
            msg = f"The server of {address} is not trusted ({reason}): name its authority's file in SSL_CERT_FILE."
            raise UnknownStoreError(msg) from exc
        msg = f"The server of {address} did not answer ({type(exc).__name__}): {ADVICE[StoreUnavailableError]}."
        raise StoreUnavailableError(msg) from exc
