"""Flows for tests of the service that take no time."""

from prefect import flow


@flow(name="note-start")
def note_start() -> None:
    """Be over at once: when it started is in the record of the run."""
