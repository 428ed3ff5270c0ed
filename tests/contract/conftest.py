"""Fixtures of the contract tests."""

from tests.seaweed import seaweed

__all__ = ["seaweed"]
