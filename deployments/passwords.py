"""Passwords of one installation: made once, kept in a file that only its owner reads, never on a command line."""

import os
import secrets
from pathlib import Path


def keep_password(file: Path, user: str = "") -> str:
    """Return what a file of mode 0600 holds, which is written with a new password first if it is not there.

    With `user` it holds `user:password`.

    Raises:
        OSError: The file can be neither read nor written.
    """
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(f"{file.name}.new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
            opened.write(f"{user}:{secrets.token_urlsafe(30)}" if user else secrets.token_urlsafe(30))
        fresh.replace(file)  # whole, whatever ends this process
    return file.read_text().strip()
