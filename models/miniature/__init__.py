"""The miniature: a film stage whose truth is known, and what is trained on it.

Knows the stage, its cameras and its pictures. Does not know Prefect, storage, or where its pictures go.
"""
