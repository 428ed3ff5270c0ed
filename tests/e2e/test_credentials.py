"""Credentials of a store that are kept in a block of Prefect."""

import logging
from typing import Any, cast

import pytest
from prefect.blocks.system import Secret

from flows.settings import read_settings
from storage.opening import open_store
from tasks.errors import InvalidSettingError
from tests.servers import S3Server


@pytest.fixture(autouse=True)
def no_other_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have none in the environment, and none left there."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "")


def save_block(name: str, value: object) -> None:
    """Keep something in a block."""
    Secret(value=cast("Any", value)).save(name, overwrite=True)


def test_store_is_opened_with_those_of_a_block(
    seaweed: S3Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Naming the block is enough, and neither the log nor the settings tell what is in it."""
    save_block("store-1", {"access_key": seaweed.access_key, "secret_key": seaweed.secret_key})
    monkeypatch.setenv("MASTERSHOT_CREDENTIALS_BLOCK", "store-1")
    monkeypatch.setenv("MASTERSHOT_STORE", seaweed.url("block"))
    with caplog.at_level(logging.DEBUG):
        settings = read_settings()
        open_store(settings.store).put_record("a", b"{}")
    assert seaweed.secret_key not in caplog.text + repr(settings)


@pytest.mark.parametrize("value", [None, "text", {"access_key": "only"}])
def test_block_that_holds_no_credentials_is_told(value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block that is not there, or holds something else, is named in a sentence that does not tell what it holds."""
    if value is not None:
        save_block("store-2", value)
    monkeypatch.setenv("MASTERSHOT_CREDENTIALS_BLOCK", "store-2" if value else "nowhere")
    with pytest.raises(InvalidSettingError, match="CREDENTIALS_BLOCK names") as caught:
        read_settings()
    assert "only" not in str(caught.value)
