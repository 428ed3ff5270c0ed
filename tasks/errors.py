"""What can go wrong between asking and keeping.

```
TaskError
├── InvalidRequestError      the request cannot be understood or is not allowed
├── InvalidSettingError      a setting of this installation cannot be understood
├── MasterNotFoundError      the master is not where the request says
└── AnglesFailedError        some angles could not be rendered; the others are kept
```
"""


class TaskError(Exception):
    """Something failed between asking and keeping."""


class InvalidRequestError(TaskError):
    """The request cannot be understood or asks for something that is not allowed."""


class InvalidSettingError(TaskError):
    """A setting of this installation cannot be understood."""


class MasterNotFoundError(TaskError):
    """The master is not where the request says, or cannot be read."""


class AnglesFailedError(TaskError):
    """Some angles could not be rendered; the finished ones are kept."""
