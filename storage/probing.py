"""What a probe of a store is: something asked of it, what it did, and what follows."""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel

Outcome = Literal["ok", "adapted", "refused"]
Place = TypeVar("Place")
Refusal = TypeVar("Refusal", bound=Exception)


class Finding(BaseModel, frozen=True, extra="forbid"):
    """What a store really does: `adapted` is weaker than wished and handled, `refused` must not be used."""

    subject: str
    asked: str
    answer: str
    outcome: Outcome
    consequence: str

    @property
    def sentence(self) -> str:
        """All of it in one sentence."""
        return f"Asked to {self.asked}, the store answered: {self.answer}; {self.consequence}."


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a store did, and whether that is what it should."""

    is_right: bool
    words: str


@dataclass(frozen=True, kw_only=True)
class Probe(Generic[Place]):
    """Something to ask of a store, and what follows from either answer."""

    subject: str
    asked: str
    check: Callable[[Place], Answer]
    consequence: str
    otherwise: Literal["adapted", "refused"]
    consequence_otherwise: str

    def judge(self, answer: Answer) -> Finding:
        """Say what follows from an answer."""
        return Finding(
            subject=self.subject,
            asked=self.asked,
            answer=answer.words,
            outcome="ok" if answer.is_right else self.otherwise,
            consequence=self.consequence if answer.is_right else self.consequence_otherwise,
        )


def ask_all(
    probes: Iterable[Probe[Place]], place: Place, kind: type[Refusal], describe: Callable[[Refusal], str]
) -> Generator[Finding]:
    """Ask one probe after the other; where a place raises an error of this kind, that is its answer."""
    for probe in probes:
        try:
            answer = probe.check(place)
        except kind as exc:
            answer = Answer(is_right=False, words=f"refused ({describe(exc)})")
        yield probe.judge(answer)
