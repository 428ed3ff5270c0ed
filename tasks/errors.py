"""What can go wrong between asking and keeping.

```
TaskError
├── InvalidRequestError      the request cannot be understood or is not allowed
├── InvalidSettingError      a setting of this installation cannot be understood
├── MasterNotFoundError      the master is not where the request says
├── HungStepError            a renderer gives no sign of life
├── AngleTimeoutError        an angle takes too long, step by step
├── StoppedError             the run ends before this is done
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


class HungStepError(TaskError):
    """A renderer gives no sign of life: its device hangs, or a step takes longer than the limit."""


class AngleTimeoutError(TaskError):
    """An angle takes longer than the limit, though its steps go on."""


class StoppedError(TaskError):
    """The run ends before this is done: it was cancelled, or failed."""


class AnglesFailedError(TaskError):
    """Some angles could not be rendered; the finished ones are kept."""
