"""Attempts at an angle: what is rendered again, and which is chosen."""

from models.camera import Pose
from models.specs import AngleSpec
from tasks.takes import add_takes, plan_retakes
from tests.coverages import make_card, make_record

POSE = Pose(azimuth_deg=-45)
FAILED, DOUBTFUL, PASSED = make_card("fail", "stayed", 45.0), make_card("review", "unsure"), make_card()
RECORDS = [make_record("left_45", POSE, seed=seed) for seed in (2**32 - 1, 0, 1)]
SPEC = AngleSpec.model_validate(RECORDS[0].spec)


def test_a_failed_view_is_planned_with_the_next_seed() -> None:
    """Seeds are counted on from the one asked for, around the end."""
    takes = add_takes({}, {"left_45": RECORDS[0]}, {"left_45": FAILED})
    (again,) = plan_retakes((SPEC,), takes, ())
    assert (again.seed, again.name, again.fingerprint != SPEC.fingerprint) == (0, "left_45", True)
    takes = add_takes(takes, {"left_45": RECORDS[1]}, {"left_45": FAILED})
    assert [spec.seed for spec in plan_retakes((SPEC,), takes, ())] == [1]


def test_only_failures_are_rendered_again() -> None:
    """A view for review is left to a person, and an angle that may not be rendered is left alone."""
    assert plan_retakes((SPEC,), add_takes({}, {"left_45": RECORDS[0]}, {"left_45": DOUBTFUL}), ()) == ()
    failed = add_takes({}, {"left_45": RECORDS[0]}, {"left_45": FAILED})
    assert plan_retakes((SPEC,), failed, ("close_up",)) == ()
    assert len(plan_retakes((SPEC,), failed, ("left_45",))) == 1


def test_the_best_is_chosen_and_all_are_kept() -> None:
    """The best order is chosen, of equal ones the earlier; none is lost."""
    takes = {}
    for record, card in zip(RECORDS, (FAILED, PASSED, PASSED), strict=True):
        takes = add_takes(takes, {"left_45": record}, {"left_45": card})
    assert [(take.number, take.is_chosen) for take in takes["left_45"]] == [(1, False), (2, True), (3, False)]
