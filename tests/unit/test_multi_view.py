"""All views of a coverage looked at together: who stands where, who is not there, and what is of somewhere else."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.camera import Pose
from models.profiles import MINIATURE, QWEN_EDIT_2511, Profile
from models.scores.camera_check import rotation_of
from models.scores.findings import ScoreCard
from models.scores.foreign import find_foreign
from models.scores.known import POSES, KnownScene, rendered_scenes
from models.scores.matching import to_working_size
from models.scores.multi_view import MASTER, MultiView, MultiViewError, Region, SeenByOthers, look_together, reconstruct
from models.scores.strange import count_cells, find_strange, read_cells
from models.scores.together import MIN_POINTS, Together, weigh_together
from models.scores.two_view import angle_deg
from models.thresholds import STAGE_VIEWS
from storage.directory import DirectoryStore
from storage.objects import BlobRef
from tasks.ingest import encode_png
from tasks.multi_view import MAX_VIEWS, check_multi_view
from tasks.takes import Takes, add_takes, replace_cards
from tests.coverages import make_card, make_record

KNOWN = Path(__file__).parents[1] / "known_cameras"
RIGHT = ("close", "high", "azimuth_+45", "azimuth_+90")
UNVERIFIED = {"motion": "unverifiable", "evidence": "none", "status": "review", "reason": "not known", "num_inliers": 0}
LEVEL = tuple(tuple(row) for row in np.eye(3).tolist())


@pytest.fixture(scope="module")
def scene() -> KnownScene:
    """The path-traced workshop."""
    return next(scene for scene in rendered_scenes(KNOWN) if scene.name == "workshop")


def picture_of(scene: KnownScene, name: str, control: str = "") -> np.ndarray:
    """Return a picture of a scene at the working size."""
    view = next(view for view in scene.views if (view.name, view.control) == (name, control))
    return to_working_size(Image.fromarray(view.picture))


@pytest.fixture(scope="module")
def seen(scene: KnownScene) -> MultiView:
    """Four right views, one with something of elsewhere pasted over it, and one of another place."""
    pictures = {MASTER: (to_working_size(Image.fromarray(scene.master)), Pose())}
    pictures |= {name: (picture_of(scene, name), POSES[name]) for name in RIGHT}
    pictures["patched"] = (picture_of(scene, "azimuth_+30", "patched"), POSES["azimuth_+30"])
    pictures["outlier"] = (picture_of(scene, "azimuth_-30", "unrelated"), POSES["azimuth_-30"])
    return look_together(pictures, [list(pictures)])[0]


def unverified() -> ScoreCard:
    """Return a card of a view whose camera two pictures could not verify."""
    card = make_card()
    return card.model_copy(update={"camera": card.camera.model_copy(update=UNVERIFIED)})


def turned(pose: Pose, num_points: int = MIN_POINTS, moved: float = 0.5, foreign: float | None = 0.0) -> SeenByOthers:
    """Return a view that was placed at a pose."""
    rotation = tuple(tuple(row) for row in rotation_of(pose).tolist())
    region = Region(left=0.7, top=0.0, right=1.0, bottom=0.3)
    return SeenByOthers(rotation=rotation, num_points=num_points, moved=moved, foreign=foreign, region=region)


def weigh(view: SeenByOthers, card: ScoreCard, given: Pose) -> Together:
    """Weigh one view that stands beside a right one."""
    views = {"one": view, "other": turned(Pose(azimuth_deg=30))}
    poses = {"one": given, "other": Pose(azimuth_deg=30)}
    return weigh_together(MultiView(views=views), {"one": card, "other": make_card()}, poses, STAGE_VIEWS)


@pytest.mark.parametrize("name", RIGHT)
def test_right_views_are_placed_within_a_degree(seen: MultiView, scene: KnownScene, name: str) -> None:
    """Even a quarter round the subject, which shares too little with the master alone."""
    true = next(view.rotation for view in scene.views if view.name == name and not view.control)
    assert true is not None
    assert angle_deg(np.array(seen.views[name].rotation) @ true.T) < 1
    assert (seen.views[name].foreign or 0) < STAGE_VIEWS.foreign


def test_what_is_of_elsewhere_is_pointed_at(seen: MultiView, scene: KnownScene) -> None:
    """The pasted part is found where it is, and the picture of another place is in no place."""
    patched = seen.views["patched"]
    assert patched.foreign is not None
    assert patched.foreign > STAGE_VIEWS.foreign
    right, wrong = (picture_of(scene, "azimuth_+30", kind).astype(int) for kind in ("", "patched"))
    rows, columns = np.nonzero(np.abs(right - wrong).sum(axis=2) > 60)
    assert patched.region is not None
    assert patched.region.left < columns.mean() / right.shape[1] < patched.region.right
    assert patched.region.top < rows.mean() / right.shape[0] < patched.region.bottom
    assert seen.views["outlier"].rotation is None
    assert seen.registered_share == pytest.approx(5 / 6)


def test_together_says_who_is_the_outlier(seen: MultiView) -> None:
    """The finding names the view that is not there and the one that is in part of elsewhere."""
    cards = dict.fromkeys(seen.views, unverified())
    given = {**{name: POSES[name] for name in RIGHT}, "patched": POSES["azimuth_+30"], "outlier": POSES["azimuth_-30"]}
    together = weigh_together(seen, cards, given, STAGE_VIEWS)
    assert (together.finding.status, together.finding.missing, together.finding.strange) == (
        "review",
        ("outlier",),
        ("patched",),
    )
    assert together.cards["azimuth_+90"].camera.evidence == "multi_view"
    assert together.cards["azimuth_+90"].verdict == "pass"
    assert together.cards["azimuth_+90"].camera.azimuth_deg == pytest.approx(90, abs=5)
    assert "shows what no other angle shows" in together.cards["patched"].place.reason
    assert together.cards["outlier"].camera == unverified().camera
    assert together.cards["outlier"].place.strange == seen.views["outlier"].strange


def test_no_place_in_noise() -> None:
    """Pictures that have nothing in common are placed nowhere, and nothing is said of them."""
    random = np.random.default_rng(0)
    pictures = {name: (random.integers(0, 256, (120, 160, 3), np.uint8), Pose()) for name in (MASTER, "a", "b")}
    seen = reconstruct(pictures, [list(pictures)])[0]
    assert seen.registered_share == 0
    together = weigh_together(seen, dict.fromkeys("ab", unverified()), dict.fromkeys("ab", Pose()), STAGE_VIEWS)
    assert together.finding.status == "not_measured"
    assert together.cards == dict.fromkeys("ab", unverified())


def test_a_process_that_dies_is_said_so() -> None:
    """So is one that takes too long, and the message says what to do."""
    flat = np.zeros((32, 32, 3), np.uint8)
    with pytest.raises(MultiViewError, match=r"without a result.*timed out.*run it again"):
        reconstruct({MASTER: (flat, Pose()), "a": (flat, Pose())}, [[MASTER, "a"]], timeout_s=0.01)


@pytest.mark.parametrize(
    ("view", "given", "status", "motion"),
    [
        (turned(Pose(azimuth_deg=90)), Pose(azimuth_deg=90), "pass", "orbited"),
        (turned(Pose(azimuth_deg=90)), Pose(azimuth_deg=45), "fail", "orbited"),
        (turned(Pose(azimuth_deg=90), moved=0.0), Pose(azimuth_deg=90), "fail", "pan"),
        (turned(Pose(), moved=0.4), Pose(distance=0.6), "pass", "dollied"),
        (turned(Pose(azimuth_deg=90), num_points=MIN_POINTS - 1), Pose(azimuth_deg=90), "review", "unverifiable"),
        (turned(Pose(azimuth_deg=170)), Pose(azimuth_deg=90), "review", "unverifiable"),
        (SeenByOthers(), Pose(azimuth_deg=90), "review", "unverifiable"),
    ],
)
def test_a_chain_verifies_a_camera(view: SeenByOthers, given: Pose, status: str, motion: str) -> None:
    """A camera that was placed well is judged as one that two pictures verified; one placed badly is not."""
    camera = weigh(view, unverified(), given).cards["one"].camera
    assert (camera.status, camera.motion) == (status, motion)


def test_two_pictures_are_not_overruled() -> None:
    """What two pictures verified stands."""
    assert (
        weigh(turned(Pose(azimuth_deg=90)), make_card(), Pose(azimuth_deg=-40)).cards["one"].camera
        == make_card().camera
    )


def test_a_part_of_elsewhere_is_to_be_reviewed() -> None:
    """It says which part, and the coverage says which view."""
    together = weigh(turned(Pose(azimuth_deg=30), foreign=STAGE_VIEWS.foreign + 1), make_card(), Pose(azimuth_deg=30))
    assert together.cards["one"].place.reason == "its upper right part shows what no other angle shows there"
    assert together.cards["one"].verdict == "review"
    assert together.finding.reason == "2 of 2 angles show one place; one: in part of somewhere else"


def test_foreign_needs_both_kinds_of_evidence() -> None:
    """What is found nowhere else, or what hides something, is natural; both at once in one part are not."""
    random = np.random.default_rng(1)
    places, points = random.random((2000, 2)), random.random((800, 2))
    in_corner = [(each[:, 0] > 0.7) & (each[:, 1] < 0.3) for each in (places, points)]
    found, visible = random.random(2000) < 0.4, random.random(800) < 0.5
    spoilt_found, spoilt_visible = found & ~in_corner[0], visible & ~in_corner[1]
    natural = [find_foreign(places, found, points, visible), find_foreign(places, spoilt_found, points, visible)]
    natural.append(find_foreign(places, found, points, spoilt_visible))
    assert all(each is not None and each[0] < 15 for each in natural)
    both = find_foreign(places, spoilt_found, points, spoilt_visible)
    assert both is not None
    assert both[0] > 40
    assert both[1] == pytest.approx((0.7, 0.0, 1.0, 0.3), abs=0.11)
    assert find_foreign(places[:50], found[:50], points, visible) is None


def test_colours_that_no_other_picture_has_are_strange() -> None:
    """A red coat among blue pictures is found where it is; a slightly other blue is not."""
    blue = [np.full((90, 160, 3), (40, 60, level), np.uint8) for level in (150, 160)]
    others = [count_cells(read_cells(picture)) for picture in blue]
    assert find_strange(read_cells(np.full((90, 160, 3), (42, 61, 156), np.uint8)), others)[0] == 0
    coat = blue[0].copy()
    coat[40:70, 20:40] = (200, 30, 30)
    share, (left, top, right, bottom) = find_strange(read_cells(coat), others)
    assert share > 0.6
    assert left < 30 / 160 < right
    assert top < 55 / 90 < bottom


def test_strange_colours_are_to_be_reviewed() -> None:
    """Even of a view that could not be placed."""
    view = SeenByOthers(strange=0.3, strange_region=Region(left=0.0, top=0.4, right=0.2, bottom=0.6))
    card = weigh(view, make_card(), Pose(azimuth_deg=-40)).cards["one"]
    assert (card.verdict, card.place.reason) == ("review", "its left part has colours that no other angle has")


def make_takes(store: DirectoryStore, names: Sequence[str], picture: Image.Image) -> Takes:
    """Return one attempt at each angle, all showing the same picture."""
    shown = store.put_blob(encode_png(picture), "image/png")
    records = {name: make_record(name, Pose(azimuth_deg=-40), QWEN_EDIT_2511, picture=shown) for name in names}
    return add_takes({}, records, dict.fromkeys(names, unverified()))


@pytest.mark.parametrize(
    ("profile", "num_views", "reason"),
    [
        (MINIATURE, 3, "too coarse"),
        (QWEN_EDIT_2511, 1, "it takes 2 angles that did not fail, and there are 1"),
        (QWEN_EDIT_2511, MAX_VIEWS + 1, "at most 32 angles"),
    ],
)
def test_what_is_not_measured_says_why(tmp_path: Path, profile: Profile, num_views: int, reason: str) -> None:
    """No process is started, and no card is touched."""
    takes = make_takes(
        DirectoryStore(tmp_path), [f"a{number}" for number in range(num_views)], Image.new("RGB", (9, 9))
    )
    same, finding = check_multi_view.fn(BlobRef.of(b"m", "image/png"), takes, profile, str(tmp_path))
    assert same == takes
    assert finding.status == "not_measured"
    assert reason in finding.reason


def test_what_others_added_before_is_weighed_anew(tmp_path: Path) -> None:
    """A view that failed beside other pictures in an earlier round is looked at again by what it says for itself."""
    takes = make_takes(DirectoryStore(tmp_path), ["a", "b"], Image.new("RGB", (160, 120), "#336699"))
    master = takes["a"][0].record.picture
    failed = replace_cards(takes, dict.fromkeys(takes, make_card("fail", "stayed", 45.0)))
    again, finding = check_multi_view.fn(master, failed, QWEN_EDIT_2511, str(tmp_path))
    assert [take.card.verdict for (take,) in again.values()] == ["review", "review"]
    assert not finding.left_out


def test_views_are_looked_at_once(tmp_path: Path) -> None:
    """The second time nothing is decoded: what was found is read back."""
    store = DirectoryStore(tmp_path)
    takes = make_takes(store, ["a", "b"], Image.new("RGB", (160, 120), "#336699"))
    master = takes["a"][0].record.picture
    first = check_multi_view.fn(master, takes, QWEN_EDIT_2511, str(tmp_path))
    Path(store.locate_blob(master)).unlink()
    assert check_multi_view.fn(master, takes, QWEN_EDIT_2511, str(tmp_path)) == first
    assert len(store.list_records("scores/")) == 1
