"""The review page: what it holds, what it refuses, and that nothing it is given can act."""

import hashlib
import json
import re
from base64 import b64encode
from datetime import datetime
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from pydantic import ValidationError

from models.camera import Pose
from tasks.review_page import ReviewAngle, ReviewPage, write_review_page
from tasks.review_plan import PlanCamera, draw_plan
from tests.review_sample import HOSTILE, VERDICTS, make_hostile, make_page

PAGE = make_page(32, 18)
ANGLE = PAGE.angles[0]


class Reader(HTMLParser):
    """Notes every tag with its attributes, and the text inside scripts and styles."""

    def __init__(self, text: str) -> None:
        """Read a page."""
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.code: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        """Note code by its tag, and all other text."""
        if self.cdata_elem in {"script", "style"}:
            self.code.append((self.cdata_elem or "", data))
        else:
            self.words.append(data)

    def find(self, tag: str, **attributes: str) -> list[dict[str, str]]:
        """Return the attributes of every such tag that has these."""
        return [own for name, own in self.tags if name == tag and attributes.items() <= own.items()]


@cache
def read() -> Reader:
    """Return what is on the page of the sample."""
    return Reader(write_review_page(PAGE))


def change_angle(**changes: object) -> ReviewAngle:
    """Return the first angle with changes, checked anew."""
    return ReviewAngle.model_validate(ANGLE.model_dump() | changes)


def change_page(**changes: object) -> ReviewPage:
    """Return the page with changes, checked anew."""
    return ReviewPage.model_validate(PAGE.model_dump() | changes)


def test_nothing_is_fetched() -> None:
    """Every address is in the page, on the page, or one of the files named beside it."""
    names = ("src", "href", "srcset", "action", "data", "poster", "xlink:href", "formaction", "style")
    addresses = {own[name] for _, own in read().tags for name in names if name in own}
    beside = {address for address in addresses if not address.startswith(("data:image/png;base64,", "#"))}
    assert beside == {f"angles/{a.name}.png" for a in PAGE.angles} | {"report.parquet", "contact_sheet.png"}
    code = "".join(text for _, text in read().code)
    assert (
        re.findall(r"https?:|//\w|@import|url\(|fetch\(|XMLHttpRequest|WebSocket|EventSource|Beacon|import\(", code)
        == []
    )
    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", code) == []


def test_policy_allows_only_the_code_of_the_page() -> None:
    """The policy forbids everything but pictures in the page and the very scripts and style that are in it."""
    (policy,) = [own["content"] for own in read().find("meta", **{"http-equiv": "Content-Security-Policy"})]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert (rules["default-src"], rules["img-src"]) == ("'none'", "data:")
    assert (rules["base-uri"], rules["form-action"]) == ("'none'", "'none'")
    kinds = [own.get("type", "") for own in read().find("script")]
    scripts = [text for tag, text in read().code if tag == "script"]
    running = [text for kind, text in zip(kinds, scripts, strict=True) if not kind]
    styles = [text for tag, text in read().code if tag == "style"]
    for rule, texts in (("script-src", running), ("style-src", styles)):
        assert rules[rule].split() == [
            f"'sha256-{b64encode(hashlib.sha256(t.encode()).digest()).decode()}'" for t in texts
        ]


def test_hostile_text_adds_no_tag_and_no_attribute() -> None:
    """Markup in any text is shown as text: the page has the tags and attributes of the plain one, and the same code."""
    hostile = Reader(write_review_page(make_hostile(PAGE)))
    assert [(tag, list(own)) for tag, own in hostile.tags] == [(tag, list(own)) for tag, own in read().tags]
    assert [text for _, text in hostile.code[:1] + hostile.code[2:]] == [
        t for _, t in read().code[:1] + read().code[2:]
    ]
    assert "".join(hostile.words).count(HOSTILE) > 40
    data = json.loads(hostile.code[1][1])
    assert (data["coverage_id"], data["angles"][1]["name"]) == (HOSTILE, f"1 {HOSTILE}")


def test_angles_stand_failures_first() -> None:
    """The master is first; then fail, review and pass, each in the order of the request."""
    cards = read().find("article")
    assert [own["data-verdict"] for own in cards] == sorted(VERDICTS, key=("fail", "review", "pass").index)
    assert [int(own["data-angle"]) for own in cards] == [5, 6, 1, 3, 0, 2, 4]
    tags = [(tag, own.get("class", "")) for tag, own in read().tags]
    assert tags.index(("figure", "card master")) < tags.index(("article", "card"))


def test_everything_can_be_read_without_the_script() -> None:
    """Verdicts, reasons, checks, figures, cameras, encoders and notes are in the text of the page."""
    text = " ".join(" ".join(read().words).split())
    assert "UNTRAINED: the weights behind left_45" in text
    for angle in PAGE.angles:
        said = [angle.name, *angle.reasons, *angle.title_lines, *(f"{check.name}" for check in angle.checks)]
        assert [words for words in said if words not in text] == []
    assert [note for note in (*PAGE.notes, PAGE.multi_view_finding) if note not in text] == []
    assert "Chance baseline 0.310 64.0 0.880" in text
    assert "not measured: no weights were found" in text
    assert "2026-03-29 01:30 UTC" in text


def test_pictures_and_drawings_have_words() -> None:
    """Every picture has an alternative text, every drawing a name or nothing to say, every button a type."""
    assert [own for own in read().find("img") if not own.get("alt")] == []
    assert len(read().find("img")) == 1 + len(PAGE.angles) + 2 * sum(bool(angle.attempts) for angle in PAGE.angles)
    assert [own for own in read().find("svg") if "aria-hidden" not in own and "aria-labelledby" not in own] == []
    assert [own for own in read().find("button") if own.get("type") != "button"] == []
    ids = [own["id"] for _, own in read().tags if "id" in own]
    assert len(ids) == len(set(ids))


def test_page_of_little_is_whole() -> None:
    """A coverage with neither scores nor checks nor files has a page without their tables."""
    angle = change_angle(scores={}, checks=(), reasons=(), measured=None, heat_map=None, attempts=(), download=None)
    empty = {"columns": (), "encoders": (), "notes": (), "downloads": (), "warning": "", "multi_view_finding": ""}
    page = Reader(write_review_page(change_page(angles=(angle,), **empty)))
    assert page.find("p", **{"class": "warning"}) == page.find("dl", **{"class": "legend"}) == []
    assert len(page.find("article")) == 1
    assert page.find("a", **{"class": "camera pass unlocated"})


def test_equal_pages_are_equal_text() -> None:
    """The same coverage is the same file, so that a repeated run keeps one blob."""
    assert write_review_page(make_page(32, 18)) == write_review_page(PAGE)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("download", "https://example.com/x.png"),
        ("download", "javascript:alert(1)"),
        ("download", "/etc/passwd"),
        ("download", "angles/../../x.png"),
        ("download", "..\\x.png"),
        ("picture", ANGLE.picture.model_dump() | {"uri": "https://example.com/x.png"}),
        ("picture", ANGLE.picture.model_dump() | {"uri": "data:image/svg+xml;base64,AAAA"}),
        ("picture", ANGLE.picture.model_dump() | {"uri": 'data:image/png;base64,AA"onerror='}),
        ("heat_map", ((0.5, 1.5),)),
        ("heat_map", ((0.5,), (0.5, 0.5))),
        ("heat_map", ()),
        ("heat_map", ((), ())),
        ("verdict", "maybe"),
        ("scores", {"patches": float("nan")}),
        ("colour", "red"),
    ],
)
def test_angle_refuses(field: str, value: object) -> None:
    """An angle that could reach outside the page, or whose figures are none, is not made."""
    with pytest.raises(ValidationError):
        change_angle(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("angles", ()),
        ("angles", (ANGLE, ANGLE)),
        ("angles", (change_angle(scores={"patches": 1.0}),)),
        ("columns", PAGE.columns[:1] * 2),
        ("created_at", datetime(2026, 3, 29)),  # noqa: DTZ001
        ("coverage_id", ""),
    ],
)
def test_page_refuses(field: str, value: object) -> None:
    """A page whose angles or columns cannot be told apart, or whose time has no zone, is not made."""
    with pytest.raises(ValidationError):
        change_page(**{field: value})


def camera(pose: Pose, **measured: float | None) -> PlanCamera:
    """Return a camera for the plan."""
    found = {"azimuth_deg": None, "elevation_deg": None, "distance": pose.distance} | measured
    return PlanCamera.model_validate({"label": "1 x", "asked": pose} | found)


def test_plan_is_seen_from_above() -> None:
    """The master stands below the subject, + azimuth is to its right, and a raised camera stands nearer."""
    right, left, behind, above, close = draw_plan(
        [
            camera(Pose(azimuth_deg=90)),
            camera(Pose(azimuth_deg=-90)),
            camera(Pose(azimuth_deg=180)),
            camera(Pose(elevation_deg=60)),
            camera(Pose(distance=0.6), azimuth_deg=45.0, elevation_deg=0.0, distance=0.6),
        ]
    ).entries
    away = right.asked.away
    assert (right.asked.x, right.asked.y, left.asked.x) == (away, 0.0, -away)
    assert (behind.asked.y, above.asked.y, close.asked.y) == (-away, away / 2, pytest.approx(0.6 * away, abs=0.1))
    assert (right.side, left.side, right.measured) == ("right", "left", None)
    assert close.measured is not None
    assert close.measured.x == pytest.approx(close.measured.y)


def test_plan_has_room_for_every_label() -> None:
    """Labels of cameras on one spot stand apart, inside the drawing, on both sides of it."""
    plan = draw_plan([camera(Pose()) for _ in range(20)])
    for side in ("left", "right"):
        heights = sorted(entry.label_y for entry in plan.entries if entry.side == side)
        assert len(heights) == 10
        assert min(low - high for high, low in pairwise(heights)) >= 36
        assert plan.top < heights[0] < heights[-1] < plan.top + plan.height
