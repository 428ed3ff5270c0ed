"""What a project, a sequence, a scene or a tag may be called, so that its name can be part of a key."""

import re

from storage.errors import InvalidKeyError

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def check_name(name: str) -> str:
    """Return the name of a project, a sequence or a scene.

    Raises:
        InvalidKeyError: It is none.
    """
    if not _NAME.fullmatch(name):
        msg = f"{name[:80]!r} is no name: take up to 63 of a-z, 0-9, _ and -, the first a letter or a digit."
        raise InvalidKeyError(msg)
    return name
