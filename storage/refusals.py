"""What a refusal of an S3 server means, by the code and the status of its answer."""

from http import HTTPStatus

from storage.errors import (
    MissingObjectError,
    StorageError,
    StoreFullError,
    StoreReadOnlyError,
    StoreUnavailableError,
    UnknownStoreError,
)

ADVICE: dict[type[StorageError], str] = {
    StoreFullError: "free space, raise the quota, or choose another store",
    StoreReadOnlyError: "check the credentials, the clock, and what this user may do there",
    MissingObjectError: "check the key and the store, or make it again",
    StoreUnavailableError: "check that the server runs and can be reached, then try again",
    UnknownStoreError: "check the host, port, region and secure option of the store's address",
}

_KIND_BY_CODE: dict[str, type[StorageError]] = {
    "XMinioStorageFull": StoreFullError,
    "QuotaExceeded": StoreFullError,
    "XMinioAdminBucketQuotaExceeded": StoreFullError,
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
