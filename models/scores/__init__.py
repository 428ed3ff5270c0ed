"""Scores of one coverage: numbers about pictures, each with its assumptions.

`paper` holds the figures of the paper under their own names. A score card that gates before it grades goes beside it.
"""
