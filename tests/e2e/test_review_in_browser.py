"""The review page in a real browser, from disk, by clicks and keys: no network, no error."""

import json
from itertools import pairwise

import pytest
from playwright.sync_api import Page, expect

from tests.browser import browser, context, page, path, press
from tests.review_sample import SHOTS, make_page

__all__ = ["browser", "context", "page", "path"]

FAILURES_FIRST = ["left_45", "right_45", "low_angle", "top_down", "close_up", "high_angle", "wide"]
REQUESTED = [shot.value for shot in SHOTS]


@pytest.fixture(scope="session")
def prefect_server() -> None:
    """No server: a page from disk needs none."""


def list_cards(page: Page) -> list[str]:
    """Return the names on the sheet, in its order."""
    return page.eval_on_selector_all(
        ".card[data-angle]:not([hidden]) h2", "(all) => all.map((h) => h.lastChild.data.trim())"
    )


def title_of(page: Page) -> str:
    """Return what the comparison is of."""
    return page.inner_text("#compare-title")


def test_page_is_there_within_a_second(page: Page) -> None:
    """Seven angles are drawn and the keys work in less than a second, from disk."""
    loaded_ms = [page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")]
    for _ in range(2):
        page.reload()
        loaded_ms.append(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
    assert 0 < min(loaded_ms) < 1000
    expect(page.locator("#sheet .open img")).to_have_count(len(SHOTS))
    assert page.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    press(page, "j", "Enter")
    assert title_of(page) == "6 left_45"


def test_order_and_filters(page: Page) -> None:
    """Failures stand first until the order of the request is chosen; a verdict can be left out everywhere."""
    assert list_cards(page) == FAILURES_FIRST
    page.click("text=Request order")
    assert list_cards(page) == REQUESTED
    press(page, "f")
    assert list_cards(page) == FAILURES_FIRST
    page.click("button[data-filter=pass]")
    page.click("button[data-filter=review]")
    assert list_cards(page) == ["left_45", "right_45"]
    assert page.locator("#score-table .figures tr:visible").count() == page.locator(".camera:visible").count() == 2
    expect(page.locator("#status")).to_have_text("2 of 7 angles shown")
    page.click("button[data-filter=fail]")
    expect(page.locator("#nothing-shown")).to_be_visible()


def test_table_sorts_numbers_as_numbers(page: Page) -> None:
    """A column sorts up and down, what was not measured stays last, and the baselines stay on top."""
    column = page.locator("#score-table th", has_text="Composite")

    def read() -> list[str]:
        return page.eval_on_selector_all(
            "#score-table .figures td:last-child", "(all) => all.map((td) => td.dataset.value)"
        )

    column.locator("button").click()
    assert read() == ["9.5", "64.0", "66.7", "71.0", "88.25", "100.0", ""]
    assert column.get_attribute("aria-sort") == "ascending"
    column.locator("button").focus()
    press(page, "Enter")
    assert read() == ["100.0", "88.25", "71.0", "66.7", "64.0", "9.5", ""]
    assert column.get_attribute("aria-sort") == "descending"
    assert page.locator("#score-table [aria-sort]").count() == 1
    rows = page.locator("#score-table tbody tr th").all_inner_texts()
    assert rows[:3] == ["Chance", "Null edit", "Mirrored views, mean"]
    page.get_by_role("button", name="Verdict", exact=True).click()
    verdicts = page.locator("#score-table .figures .badge").all_inner_texts()
    assert verdicts == ["Fail", "Fail", "Review", "Review", "Pass", "Pass", "Pass"]


def test_keys_walk_the_angles(page: Page) -> None:
    """Keys move from angle to angle, on the sheet and in the comparison, and the focus comes back to the last one."""
    press(page, "j", "ArrowRight", "k", "3", "Enter")
    assert title_of(page) == "3 high_angle"
    expect(page.locator("#compare-status")).to_have_text("3 high_angle, pass")
    press(page, "j")
    assert title_of(page) == "5 wide"
    press(page, "j", "j", "ArrowLeft", "1")
    assert title_of(page) == "1 close_up"
    press(page, "Escape")
    expect(page.locator("#compare")).not_to_be_visible()
    expect(page.locator("#angle-1 .open")).to_be_focused()
    page.click("#angle-7 .open")
    assert title_of(page) == "7 right_45"
    page.click("#next")
    page.click("#close-compare")
    expect(page.locator("#angle-2 .open")).to_be_focused()


def test_wipe_follows_hand_and_keys(page: Page) -> None:
    """The divider goes where it is dragged, and by arrow keys, and cuts both pictures at one place."""
    press(page, "1", "w")
    divider = page.locator("#divider")
    expect(divider).to_be_focused()
    press(page, "ArrowLeft", "ArrowLeft", "Shift+ArrowRight")
    assert divider.get_attribute("aria-valuenow") == "56"
    assert page.evaluate("document.querySelector('#view-angle .frame').style.clipPath") == "inset(0px 0px 0px 56%)"
    box = page.locator("#view-angle").bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.56 * box["width"], box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 20, steps=4)
    page.mouse.up()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 20)
    assert divider.get_attribute("aria-valuenow") == "25"
    press(page, "Home")
    assert (divider.get_attribute("aria-valuenow"), title_of(page)) == ("0", "1 close_up")


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_blink_is_slow_and_can_be_refused(page: Page, motion: str) -> None:
    """B blinks twice a second, which is below three; who asked for less motion swaps by hand only."""
    page.emulate_media(reduced_motion="reduce" if motion == "reduce" else "no-preference")
    page.clock.install()
    press(page, "1", "b")
    shown = "getComputedStyle(document.querySelector('#view-angle')).visibility"
    seen: list[str] = []
    for _ in range(20):
        page.clock.run_for(100)
        seen.append(page.evaluate(shown))
    num_swaps = sum(before != after for before, after in pairwise(["visible", *seen]))
    assert num_swaps == (0 if motion == "reduce" else 4)
    assert page.get_attribute("#automatic", "aria-pressed") == str(motion != "reduce").lower()
    press(page, "Space")
    page.clock.run_for(2000)
    assert page.evaluate(shown) == "hidden"
    expect(page.locator("#compare-status")).to_have_text("Master")


def test_heat_map_is_even_and_labelled(page: Page) -> None:
    """The overlay has the size of the picture, colours whose lightness rises evenly, and words for what it shows."""
    press(page, "1", "h")
    expect(page.locator("#scale")).to_contain_text("Similarity to the most similar place in the master")
    expect(page.locator("#heat-words")).to_contain_text("28 x 16 patches: lowest 0.00")
    expect(page.locator("#heat-words")).to_contain_text("4 not measured")
    overlay, picture = (page.locator(f"#view-angle {tag}").bounding_box() for tag in ("canvas", "img"))
    assert overlay == picture
    colours = page.evaluate("Array.from({ length: 21 }, (_, step) => colourOf(step / 20).match(/\\d+/g).map(Number))")
    steps = [
        after - before for before, after in zip(map(lightness, colours), map(lightness, colours[1:]), strict=False)
    ]
    assert min(steps) > 0.6 * max(steps) > 0
    drawn = page.evaluate("""() => {
      const canvas = document.querySelector("#view-angle canvas");
      return [canvas.width, canvas.height, ...canvas.getContext("2d").getImageData(30, 6, 1, 1).data.slice(0, 3)];
    }""")
    value = make_page(16, 9).angles[0].heat_map
    assert value is not None
    assert drawn == [28 * 12, 16 * 12, *page.evaluate(f"colourOf({value[0][2]}).match(/\\d+/g).map(Number)")]
    press(page, "5")
    expect(page.locator("#heat-words")).to_have_text("Not measured for this angle.")


def lightness(colour: list[int]) -> float:
    """Return CIE L* of an sRGB colour."""
    linear = [part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour]
    luminance = sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return 116 * luminance ** (1 / 3) - 16 if luminance > 0.008856 else 903.3 * luminance


def test_others_can_be_compared(page: Page) -> None:
    """An angle can lie beside the master, the one before it, any other, and its other attempts."""
    press(page, "2")
    press(page, "Enter")
    options = page.locator("#against option").all_inner_texts()
    assert options[:3] == ["Master", "Previous: 7 right_45", "Attempt 1"]
    for label, picture in (("Attempt 1", "#angle-2 [data-attempt='1'] img"), ("1 close_up", "#angle-1 .open img")):
        page.select_option("#against", label=label)
        assert page.get_attribute("#view-other img", "src") == page.get_attribute(picture, "src")
        assert page.inner_text("#view-other .caption") == label


def test_decisions_are_kept_and_saved(page: Page) -> None:
    """Approvals and retakes with their reasons outlive the page and leave it as JSON and as text."""
    press(page, "1", "a", "6", "r")
    page.keyboard.type("the hands, again: j k 1")
    press(page, "Enter")
    expect(page.locator("#angle-6 .open")).to_be_focused()
    page.reload()
    expect(page.locator("#num-decided")).to_have_text("2 of 7")
    press(page, "6", "Enter")
    assert page.input_value("#findings .reason input") == "the hands, again: j k 1"
    press(page, "Escape")
    with page.expect_download() as download:
        page.click("#save-decisions")
    saved = json.loads(download.value.path().read_text(encoding="utf-8"))
    assert download.value.suggested_filename == "decisions.json"
    assert (saved["project"], saved["scene"], saved["version"]) == ("Night Shift", "street", "v000007")
    assert [(entry["angle"], entry["decision"], entry["reason"]) for entry in saved["decisions"]] == [
        ("close_up", "approve", ""),
        ("left_45", "retake", "the hands, again: j k 1"),
    ]
    assert "retake   left_45: the hands, again: j k 1\n" in page.input_value("#decisions-text")
    page.click("#angle-1 [data-decide=approve]")
    expect(page.locator("#num-decided")).to_have_text("1 of 7")
