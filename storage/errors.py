"""What can go wrong while keeping.

```
StorageError
├── MissingObjectError       nothing is kept at this address
├── CorruptObjectError       what is kept there is not what was put
├── ConflictError            something else already stands there
├── StoreFullError           no space, no quota, or a file size limit
├── StoreReadOnlyError       the store, or this user's permission, refuses
├── LockedObjectError        what is kept there may not be taken away before its date
├── StoreUnavailableError    network, server or disk trouble: the transient one
├── InvalidKeyError          the key cannot name an object
├── UnsafeStoreError         the store cannot do what keeps work safe, or what its address asks
├── BadArchiveError          a version cannot be taken from an archive, or written to one
├── UnreadableFileError      a file to be put cannot be read, or changed meanwhile
└── UnknownStoreError        the address names no store that can be spoken with
```

Every message is one sentence: what, the value, what to do.
"""


class StorageError(Exception):
    """Something in the keeping layer failed."""


class MissingObjectError(StorageError):
    """Nothing is kept at this address."""


class CorruptObjectError(StorageError):
    """What is kept there is not what was put."""


class ConflictError(StorageError):
    """Something else already stands there."""


class StoreFullError(StorageError):
    """No space is left, or a quota or a file size limit is reached."""


class StoreReadOnlyError(StorageError):
    """The store is read-only, or this user has no permission or no credentials."""


class LockedObjectError(StorageError):
    """What is kept there is locked, and may not be taken away before its date."""


class StoreUnavailableError(StorageError):
    """The network, the server or the disk failed; a later try may succeed."""


class InvalidKeyError(StorageError):
    """The key cannot name an object."""


class UnsafeStoreError(StorageError):
    """The store cannot do what keeps work safe, or what its address asks for."""


class UnreadableFileError(StorageError):
    """A file to be put cannot be read, or changed while it was read."""


class UnknownStoreError(StorageError):
    """The address names no store that can be spoken with."""


class BadArchiveError(StorageError):
    """A version cannot be taken from an archive that is damaged or not safe, or cannot be written to one."""
