"""How an S3 server is reached, by us and by polars: with whose credentials, over which connections, for how long."""

from configparser import Error as ConfigError
from dataclasses import KW_ONLY, dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from minio import Minio
from minio.credentials.credentials import Credentials
from minio.credentials.providers import AWSConfigProvider, ChainedProvider, EnvAWSProvider, EnvMinioProvider, Provider
from minio.signer import sign_v4_s3
from urllib3 import BaseHTTPResponse, PoolManager, Retry, Timeout

from storage.errors import StoreReadOnlyError, UnknownStoreError
from storage.refusals import ADVICE

_NO_BODY = sha256().hexdigest()
_REPEATED = Retry(
    total=2,
    backoff_factor=0.2,
    status_forcelist=(500, 502, 503, 504),
    raise_on_status=False,
    respect_retry_after_header=False,
)
_SENT_ONCE = _REPEATED.new(read=0, other=0, status_forcelist=(503,), allowed_methods=None)
"""Sent again only if it did not reach the server, or the server was too busy for it."""


@dataclass(frozen=True)
class SettledCredentials(Provider):
    """Credentials that do not change, equal to others that are the same; none of them shows its secret."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(repr=False)

    def retrieve(self) -> Credentials:
        """Return the credentials."""
        return Credentials(self.access_key, self.secret_key, self.session_token)


class FoundCredentials(Provider):
    """Credentials of the first source that has some; finding none is our error."""

    def __init__(self, source: Provider | None) -> None:
        """Remember a source, or look where the AWS tools look."""
        self._source = source or ChainedProvider([EnvAWSProvider(), EnvMinioProvider(), AWSConfigProvider()])

    def retrieve(self) -> Credentials:
        """Return the credentials.

        Raises:
            StoreReadOnlyError: There are none.
        """
        try:
            return self._source.retrieve()
        except (ValueError, ConfigError) as exc:
            msg = "No S3 credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            raise StoreReadOnlyError(msg) from exc


def find_credentials() -> SettledCredentials | None:
    """Return those that are found now where the AWS tools look, or None: whoever needs them is told then."""
    try:
        found = FoundCredentials(source=None).retrieve()
    except StoreReadOnlyError:
        return None
    return SettledCredentials(found.access_key, found.secret_key, found.session_token)


@dataclass(frozen=True)
class Server:
    """An S3 server, `host:port`, and who speaks with it."""

    endpoint: str
    region: str
    _: KW_ONLY
    is_secure: bool
    credentials: Provider

    def open_client(self, pool: PoolManager) -> Minio:
        """Open a client; nothing is asked yet.

        Raises:
            UnknownStoreError: the endpoint or the region is none.
        """
        try:
            return Minio(
                endpoint=self.endpoint,
                region=self.region,
                secure=self.is_secure,
                http_client=pool,
                credentials=self.credentials,
            )
        except ValueError as exc:
            msg = f"No S3 server can be at {self.endpoint!r} in region {self.region!r}: {ADVICE[UnknownStoreError]}."
            raise UnknownStoreError(msg) from exc

    def sign_query(self, client: Minio, bucket: str, query: dict[str, str]) -> tuple[str, dict[str, str]]:
        """Return the address and the headers that ask a bucket something for which the client has no good method.

        Raises:
            StoreReadOnlyError: There are no credentials.
        """
        found, now = self.credentials.retrieve(), datetime.now(UTC)
        known = urlsplit(client.get_presigned_url("GET", bucket, "x"))  # the client knows how a host calls its buckets
        asked = urlencode(sorted(query.items()), quote_via=quote, safe="")
        url = SplitResult(known.scheme, known.netloc, known.path.removesuffix("/x") or "/", asked, "")
        token = {"X-Amz-Security-Token": found.session_token} if found.session_token else {}
        headers = sign_v4_s3(
            method="GET",
            url=url,
            region=self.region,
            headers={
                "Host": url.netloc,
                "x-amz-content-sha256": _NO_BODY,
                "x-amz-date": f"{now:%Y%m%dT%H%M%SZ}",
                **token,
            },
            credentials=found,
            content_sha256=_NO_BODY,
            date=now,
        )
        return url.geturl(), {name: str(value) for name, value in headers.items()}

    def list_reader_options(self) -> dict[str, str]:
        """Return what polars takes as `storage_options`, a secret among it.

        Raises:
            StoreReadOnlyError: There are no credentials.
        """
        found = self.credentials.retrieve()
        options = {
            "aws_endpoint_url": f"{'https' if self.is_secure else 'http'}://{self.endpoint}",
            "aws_allow_http": str(not self.is_secure).lower(),
            "aws_region": self.region,
            "aws_access_key_id": found.access_key,
            "aws_secret_access_key": found.secret_key,
        }
        return options | ({"aws_session_token": found.session_token} if found.session_token else {})


class _Pool(PoolManager):
    """Connections that repeat what may be repeated: a put whose answer was lost would become two versions."""

    def urlopen(self, method: str, url: str, redirect: bool = True, **kw: Any) -> BaseHTTPResponse:  # noqa: ANN401, FBT001, FBT002 - as urllib3 has it
        """Send a request."""
        is_repeatable = method in {"GET", "HEAD", "DELETE"} or "partNumber=" in url
        return super().urlopen(method, url, redirect, **{"retries": _REPEATED if is_repeatable else _SENT_ONCE, **kw})


def open_pool() -> PoolManager:
    """Open connections that fail in seconds, where the client's own would wait for five minutes."""
    return _Pool(maxsize=16, block=True, timeout=Timeout(connect=5, read=60))
