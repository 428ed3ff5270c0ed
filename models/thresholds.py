"""From where on a measure is doubtful or failed: sets of numbers with their origin, one for each profile.

A threshold belongs to one encoder and to one kind of pictures, so that a set is never changed, and gets a new name.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Limits = Annotated[tuple[float, float], Field(min_length=2)]
"""Where a measure becomes doubtful, and where it has failed."""


class Thresholds(BaseModel):
    """One set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    origin: str
    """On which pictures it was set, in one sentence."""
    structure: Limits = (0.7, 0.5)
    """Correlation of neighbouring pixels; less is worse."""
    sharpness: Limits = (0.7, 0.6)
    """Share of the master's fine detail; less is worse."""
    camera_error_deg: Limits = (15.0, 22.5)
    """Half the step between the azimuths of either dialect is the most that a camera may miss its mark."""
    min_appearance: float = 0.37
    """Of EfficientNet-Lite0: noise and shuffled pixels stay below."""
    foreign: float = 60.0
    """Log-likelihood ratio that a part of a view is of somewhere else; set on the path-traced courtyard alone, whose
    right views reach 39, and two patched ones 79 and 101."""
    strange: float = 0.1
    """Share of a part of a view in colours that no other view of its coverage has; 155 of the 156 right views that
    thresholds were set on stay below 0.06."""
    judge: Limits = (0.7, 0.3)
    """Probability that it is the same place, or the pose asked for; less is worse."""
    subject: Limits = (2.9, 4.0)
    """Of the subject's colours, in Lab with half the weight on lightness."""
    face_distance: float = 0.6
    """dlib's own: up to it two faces are one person."""
    face_margin: float = 0.05
    colour_shift: Limits = (4.0, 8.0)
    """Of places that were matched, in Lab."""
    colour_distance: Limits = (6.5, 12.0)
    """Of whole pictures, sliced Wasserstein in Lab."""


STAGE_VIEWS = Thresholds(
    name="stage-views-1",
    origin="set on true views of 12 held-out scenes of the film stage at 768x432 and their controls",
)

MINIATURE_PICTURES = Thresholds(
    name="miniature-pictures-1",
    origin="set on what the miniature makes of the first 8 held-out scenes of its stage, at 224x128",
    sharpness=(0.75, 0.65),
    subject=(9.0, 13.0),
    colour_distance=(9.0, 13.0),
)
"""The miniature paints people in blotches of colour that no lens would see."""
