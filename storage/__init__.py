"""Keeping: immutable blobs, records that are written once, readable views, and the versions of a scene made of them.

Knows bytes, digests, keys, disks, S3 servers, and which record makes a version visible. Does not know Prefect, torch,
the environment's settings, how a picture is made or what a score means.
"""
