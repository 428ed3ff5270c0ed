"""A coverage as it will be published: its finished angles, their scores, and what a reader must know of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from models.profiles import Profile
from models.scores.findings import MultiViewFinding, ScoreCard, Verdict
from models.scores.paper import PaperBaselines
from models.specs import AngleSpec
from storage.errors import CorruptObjectError
from storage.objects import BlobRef
from storage.records import AngleRecord
from storage.versions import version_name
from tasks.requests import SceneRequest
from tasks.takes import Scored, Take
from tasks.wording import warn_of_training


class Coverage(BaseModel):
    """All that a version shows, before it is written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    request: SceneRequest
    number: int
    """Of the version that this will be."""
    run_id: str
    created_at: datetime
    profile: Profile
    """Whose encoders scored it; every angle has its own in its spec."""
    master: BlobRef
    takes: dict[str, tuple[Take, ...]]
    """All attempts at each angle, by its name, the first one first; angles in the order of the request."""
    rounds: tuple[Scored, ...]
    """What scoring found out, of all angles and then of those that were rendered again."""
    multi_view: MultiViewFinding
    """Of the chosen attempts, looked at together."""

    @property
    def scene(self) -> str:
        """The name of the scene."""
        return self.request.scene

    @property
    def angles(self) -> tuple[AngleRecord, ...]:
        """The chosen attempt at each."""
        return tuple(take.record for takes in self.takes.values() for take in takes if take.is_chosen)

    @property
    def others(self) -> tuple[AngleRecord, ...]:
        """The attempts that were not chosen."""
        return tuple(take.record for takes in self.takes.values() for take in takes if not take.is_chosen)

    @property
    def baselines(self) -> PaperBaselines:
        """What the paper's figures are to be read beside."""
        return self.rounds[0].baselines

    @property
    def missing(self) -> dict[str, str]:
        """Encoders that are not installed, and what is to be done about it."""
        return self.rounds[0].missing

    def card(self, name: str) -> ScoreCard:
        """Return the card of the chosen attempt at an angle."""
        return next(take.card for take in self.takes[name] if take.is_chosen)

    @property
    def verdicts(self) -> dict[Verdict, list[str]]:
        """The names of the angles by verdict, failures first."""
        names: dict[Verdict, list[str]] = {"fail": [], "review": [], "pass": []}
        for record in self.angles:
            names[self.card(record.name).verdict].append(record.name)
        return names

    @property
    def title(self) -> str:
        """One line that names the version."""
        return f"{self.scene}  {version_name(self.number)}  {self.profile.name}"

    @property
    def training(self) -> Literal["untrained", "trained"]:
        """What the weakest of its pictures is."""
        return "untrained" if _untrained(self.angles) else "trained"

    @property
    def warning(self) -> str:
        """What a reader must know before trusting a picture."""
        return warn_of_training(_untrained(self.angles), len(self.angles))


def spec_of(record: AngleRecord) -> AngleSpec:
    """Return the recipe by which an angle was rendered.

    Raises:
        CorruptObjectError: It was recorded by a version of this program that this one does not understand.
    """
    try:
        return AngleSpec.model_validate(record.spec)
    except ValidationError as exc:
        msg = (
            f"The recipe of {record.name}, rendered by run {record.run_id}, is damaged or of another version of "
            "Mastershot: render it again, by a run without only_angles."
        )
        raise CorruptObjectError(msg) from exc


def show_as(record: AngleRecord, spec: AngleSpec) -> AngleRecord:
    """Return a finished angle under the name and with the pose of `spec`, which has the same recipe."""
    return record.model_copy(update={"name": spec.name, "spec": spec.model_dump(mode="json")})


def _untrained(angles: Sequence[AngleRecord]) -> list[str]:
    return [record.name for record in angles if spec_of(record).profile.training != "trained"]
