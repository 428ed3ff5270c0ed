"""How an S3 server is reached: with whose credentials, over which connections, and how long they wait."""

from configparser import Error as ConfigError

from minio.credentials.credentials import Credentials
from minio.credentials.providers import AWSConfigProvider, ChainedProvider, EnvAWSProvider, EnvMinioProvider, Provider
from urllib3 import PoolManager, Retry, Timeout

from storage.errors import StoreReadOnlyError


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


def open_pool() -> PoolManager:
    """Open connections that fail in seconds, where the client's own would wait for five minutes."""
    retries = Retry(
        total=2,
        backoff_factor=0.2,
        status_forcelist=(500, 502, 503, 504),
        raise_on_status=False,
        respect_retry_after_header=False,
    )
    return PoolManager(maxsize=16, block=True, timeout=Timeout(connect=5, read=60), retries=retries)
