"""The errors of `models`, in one tree.

    ModelError
    ├── PictureError                 the master cannot be used
    │   ├── NotAPictureError         the bytes are no picture
    │   ├── TruncatedPictureError    the bytes end, or break, before the picture is whole
    │   ├── PictureTooLargeError     over the limit of bytes or pixels, found before decoding
    │   ├── PictureTooSmallError     a side is too short
    │   └── UnsupportedPictureError  a whole picture, of a format, mode or shape that is not accepted
    ├── CameraError                  the asked-for camera cannot be had
    │   └── UnspeakablePoseError     the dialect of the model has no words for the pose
    ├── ProfileError                 the model cannot be assembled
    │   ├── UnknownProfileError      no profile has this name
    │   ├── MissingWeightsError      a file of weights is absent
    │   ├── WrongWeightsError        a file of weights is not the pinned one
    │   ├── PickledWeightsError      a file of weights could run code when opened
    │   ├── MissingDeviceError       the device asked for is not there
    │   ├── TooLittleMemoryError     the model will not fit, known before it is loaded
    │   └── FetchError               files cannot be fetched from the hub
    └── RenderError                  the sampling failed
        ├── NotFiniteError           a tensor holds NaN or infinity
        ├── OutOfMemoryError         the device has too little memory
        ├── RendererUnavailableError a resident renderer does not answer, or stopped in the middle
        ├── RendererBusyError        the queue of a resident renderer is full
        └── WrongRendererError       a resident renderer holds another model, or refuses us

Every message is one sentence: what, the value, and what to do.
"""


class ModelError(Exception):
    """Whatever `models` raises on purpose."""


class PictureError(ModelError):
    """The master cannot be used."""


class NotAPictureError(PictureError):
    """The bytes are no picture."""


class TruncatedPictureError(PictureError):
    """The bytes end, or break, before the picture is whole."""


class PictureTooLargeError(PictureError):
    """The picture is over the limit of bytes or pixels."""


class PictureTooSmallError(PictureError):
    """A side of the picture is too short."""


class UnsupportedPictureError(PictureError):
    """The picture is of a format, mode or shape that is not accepted."""


class CameraError(ModelError):
    """The asked-for camera cannot be had."""


class UnspeakablePoseError(CameraError):
    """The dialect of the model has no words for the pose."""


class ProfileError(ModelError):
    """The model cannot be assembled."""


class UnknownProfileError(ProfileError):
    """No profile has this name."""


class MissingWeightsError(ProfileError):
    """A file of weights is absent."""


class WrongWeightsError(ProfileError):
    """A file of weights is not the pinned one."""


class PickledWeightsError(ProfileError):
    """A file of weights could run code when opened."""


class MissingDeviceError(ProfileError):
    """The device asked for is not there."""


class TooLittleMemoryError(ProfileError):
    """The model will not fit, known before it is loaded."""


class FetchError(ProfileError):
    """Files cannot be fetched from the hub."""


class RenderError(ModelError):
    """The sampling failed."""


class NotFiniteError(RenderError):
    """A tensor holds NaN or infinity."""


class OutOfMemoryError(RenderError):
    """The device has too little memory."""


class RendererUnavailableError(RenderError):
    """A resident renderer does not answer, or stopped in the middle."""


class RendererBusyError(RenderError):
    """The queue of a resident renderer is full."""


class WrongRendererError(RenderError):
    """A resident renderer holds another model, or refuses us."""
