"""What was found out about pictures, kept under a digest of all that it depends on, so that nothing is measured twice.

`scores/<SHA-256 of the picture>/<digest>.json`, so that what is known of a picture can go when the picture goes. It can
be measured again at any time: what cannot be read counts as not known.
"""

import logging
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from storage.errors import ConflictError, MissingObjectError
from storage.objects import Store

AnyCard = TypeVar("AnyCard", bound=BaseModel)

_LOG = logging.getLogger(__name__)


def find_card(store: Store, picture: str, digest: str, kind: type[AnyCard]) -> AnyCard | None:
    """Return what is known of the picture of one digest under another, or None."""
    try:
        return kind.model_validate_json(store.get_record(_key(picture, digest)))
    except MissingObjectError:
        return None
    except ValidationError:
        _LOG.warning("%s is damaged and counts as not known.", store.locate_record(_key(picture, digest)))
        return None


def keep_card(store: Store, picture: str, digest: str, card: AnyCard) -> AnyCard:
    """Keep what was found out, and return it; what was kept before stands."""
    try:
        store.put_record(_key(picture, digest), card.model_dump_json().encode())
    except ConflictError:
        return find_card(store, picture, digest, type(card)) or card
    return card


def _key(picture: str, digest: str) -> str:
    return f"scores/{picture}/{digest}.json"
