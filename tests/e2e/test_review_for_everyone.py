"""The review page for every reader: by keyboard alone, read aloud, narrow, printed, without script, under attack."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tasks.review_page import write_review_page
from tests.browser import browser, context, page, path, press
from tests.review_sample import HOSTILE, SHOTS, make_hostile, make_page

__all__ = ["browser", "context", "page", "path"]

CONTROLS = "a[href], button:not(:disabled), input, select, textarea, summary, [tabindex='0']"
ROLES = {"button", "link", "textbox", "combobox", "slider", "checkbox", "DisclosureTriangle"}
LOW_CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
  const light = (rgb) => 0.2126 * linear(rgb[0]) + 0.7152 * linear(rgb[1]) + 0.0722 * linear(rgb[2]);
  const behind = (element) => {
    const colour = parse(getComputedStyle(element).backgroundColor);
    return colour.length === 3 || colour[3] === 1 ? colour : behind(element.parentElement);
  };
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const low = [];
  let number = 0;
  while (words.nextNode()) {
    const element = words.currentNode.parentElement;
    const isSeen = element.checkVisibility() && !element.closest("script, .unseen, :disabled");
    if (!words.currentNode.data.trim() || !isSeen) continue;
    const style = getComputedStyle(element);
    const ink = parse(element.closest("svg") ? style.fill : style.color);
    const [bright, dark] = [light(ink), light(behind(element))].sort((a, b) => b - a);
    const ratio = (bright + 0.05) / (dark + 0.05);
    number += 1;
    if (ratio < 4.5) low.push([words.currentNode.data.trim(), ratio]);
  }
  return { number, low };
}"""


@pytest.fixture(scope="session")
def prefect_server() -> None:
    """No server: a page from disk needs none."""


def find_nameless(page: Page) -> tuple[int, list[str]]:
    """Return how many controls and pictures a screen reader meets, and those that it has no name for."""
    session = page.context.new_cdp_session(page)
    nodes: list[dict[str, Any]] = session.send("Accessibility.getFullAXTree")["nodes"]
    met = [
        node for node in nodes if not node["ignored"] and node["role"]["value"] in ROLES | {"image", "dialog", "region"}
    ]
    return len(met), [node["role"]["value"] for node in met if not node.get("name", {}).get("value", "").strip()]


def walk(page: Page, within: str, limit: int = 200) -> list[str]:
    """Press Tab until the focus comes round, and return the controls that had it, each marked."""
    page.evaluate(
        """([within, controls]) => document.querySelectorAll(within + " *").forEach((element, place) =>
        element.matches(controls) && (element.dataset.place = place))""",
        [within, CONTROLS],
    )
    seen: list[str] = []
    for _ in range(limit):
        press(page, "Tab")
        place = page.evaluate("document.activeElement.dataset.place ?? ''")
        if place in seen:
            break
        seen.append(place)
    return [place for place in seen if place]


def list_controls(page: Page, within: str) -> set[str]:
    """Return the marks of all controls that can be seen."""
    return set(
        page.evaluate(
            """([within, controls]) => [...document.querySelector(within).querySelectorAll(controls)]
            .filter((element) => element.checkVisibility({ visibilityProperty: true }))
            .map((element) => element.dataset.place)""",
            [within, CONTROLS],
        )
    )


def test_every_control_is_reached_by_tab(page: Page) -> None:
    """Tab reaches everything that can be used, on the sheet and in the comparison, and is caught nowhere."""
    reached = walk(page, "body")
    assert set(reached) == list_controls(page, "body")
    assert len(reached) > 60
    press(page, "1", "Enter", "w")
    inside = walk(page, "#compare")
    assert set(inside) == list_controls(page, "#compare")
    press(page, "Escape")
    expect(page.locator("#angle-1 .open")).to_be_focused()


def test_focus_can_be_seen(page: Page) -> None:
    """What has the focus is outlined, a camera of the plan by its own line."""
    outline = "(element) => [getComputedStyle(element).outlineStyle, getComputedStyle(element).outlineWidth]"
    press(page, "Tab", "Tab", "j")
    assert page.locator("#angle-6 .open").evaluate(outline) == ["solid", "2px"]
    page.locator("#angle-4 a").focus()
    press(page, "Tab")
    assert page.evaluate("document.activeElement.matches(':focus-visible')")
    camera = page.locator(".camera").first
    camera.focus()
    assert camera.evaluate("(element) => getComputedStyle(element.querySelector('.asked')).strokeWidth") == "2.6px"


def test_everything_has_a_name(page: Page) -> None:
    """A screen reader has a name for every control and picture, in the comparison and the help as well."""
    number, nameless = find_nameless(page)
    assert (number > 80, nameless) == (True, [])
    press(page, "2", "Enter", "b", "h")
    assert find_nameless(page)[1] == []
    press(page, "r")
    assert find_nameless(page)[1] == []
    press(page, "Escape", "Escape", "?")
    expect(page.locator("#help")).to_be_visible()
    assert find_nameless(page)[1] == []
    assert page.evaluate("[...document.images].filter((image) => !image.alt).length") == 0


def test_text_stands_out(page: Page) -> None:
    """All text has a contrast of 4.5 to 1 at least with what lies behind it, in the comparison as well."""
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    press(page, "6", "r", "Escape", "7", "a")
    sheet = page.evaluate(LOW_CONTRAST)
    assert (sheet["number"] > 150, sheet["low"]) == (True, [])
    press(page, "Enter", "b", "h")
    comparison = page.evaluate(LOW_CONTRAST)
    assert (comparison["number"] > 170, comparison["low"]) == (True, [])
    colour = "getComputedStyle(document.querySelector('#compare')).backgroundColor"
    assert page.evaluate(colour) == "rgb(119, 119, 119)"


def test_page_fits_its_window(page: Page) -> None:
    """From 400 to 2400 px nothing sticks out sideways, the master is first and larger, and pictures stay in sight."""
    for width_px in (400, 760, 1100, 1600, 2400):
        page.set_viewport_size({"width": width_px, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == width_px
        master, first = (page.locator(f"{name} img").first.bounding_box() for name in ("#master", "#angle-6"))
        assert master
        assert first
        assert (master["y"], master["x"]) <= (first["y"], first["x"])
        assert master["width"] >= first["width"] * (1 if width_px == 400 else 1.9)
        for mode in ("s", "w"):
            press(page, "6", mode)
            boxes = [page.locator(name).bounding_box() for name in ("#view-other", "#view-angle")]
            assert all(box and min(box["x"], box["y"]) >= 0 and box["width"] > 150 for box in boxes)
            assert all(box and box["x"] + box["width"] <= width_px for box in boxes)
        assert page.locator("#compare").evaluate("(element) => element.scrollWidth") <= width_px
        press(page, "Escape")


def test_print_is_the_contact_sheet(page: Page) -> None:
    """On paper there are the pictures, names, verdicts and reasons, black on white, and no tools."""
    page.emulate_media(media="print")
    for name in (".tools", "#plan", "#scores", "#decisions", ".decision"):
        expect(page.locator(name).first).to_be_hidden()
    expect(page.locator(".card img:visible")).to_have_count(1 + len(SHOTS))
    expect(page.locator(".reasons").first).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate(LOW_CONTRAST)["low"] == []


def test_page_speaks_without_its_script(browser: Browser, path: Path) -> None:
    """With scripts off the pictures, verdicts, plan and figures are there, and no control that would do nothing."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    expect(page.locator(".card img:visible")).to_have_count(1 + len(SHOTS) + 6)
    expect(page.locator("#angle-6")).to_contain_text("mirror image")
    expect(page.locator("#scores")).to_contain_text("88.2")
    expect(page.locator(".camera").first).to_be_visible()
    expect(page.locator(".tools")).to_be_hidden()
    expect(page.locator("[data-decide]").first).to_be_hidden()
    context.close()


def test_single_keys_can_be_switched_off(page: Page) -> None:
    """Who speaks to the computer can switch the single keys off."""
    press(page, "?")
    page.uncheck("#keys-on")
    press(page, "Escape", "f", "1")
    expect(page.locator("#help")).to_be_hidden()
    expect(page.locator("[data-order=verdict]")).to_have_attribute("aria-pressed", "true")


def test_browser_that_keeps_nothing_says_so(page: Page) -> None:
    """Where a page from disk may keep nothing, decisions still work and the page tells."""
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('refused'); } })"
    )
    page.reload()
    press(page, "1", "a")
    expect(page.locator("#num-decided")).to_have_text("1 of 7")
    expect(page.locator("#kept")).to_contain_text("keeps nothing")


def test_markup_in_names_does_nothing(context: Any, tmp_path: Path) -> None:  # noqa: ANN401
    """Markup in every text is shown as text, in the comparison and its lists too, and nothing of it runs."""
    complaints: list[str] = []
    written = tmp_path / "hostile.html"
    written.write_text(write_review_page(make_hostile(make_page(32, 18))), encoding="utf-8")
    page: Page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(written.as_uri())
    press(page, "2", "Enter", "h", "r", "x", "Enter")
    assert page.inner_text("#compare-title") == f"2 1 {HOSTILE}"
    assert page.evaluate("[typeof hit, document.querySelectorAll('img[src^=http]').length]") == ["undefined", 0]
    assert complaints == []


def test_policy_stops_what_is_not_the_page(context: Any, path: Path) -> None:  # noqa: ANN401
    """A request, a picture from elsewhere and a script that is not the page's are refused by the policy."""
    page: Page = context.new_page()
    page.goto(path.as_uri())
    refused = page.evaluate("""async () => {
      const refused = [];
      document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
      await fetch("http://127.0.0.1:9/").catch(() => {});
      const picture = new Image();
      picture.src = "http://127.0.0.1:9/x.png";
      await picture.decode().catch(() => {});
      try { document.body.innerHTML += "<b>x</b>"; } catch {}
      await new Promise((done) => setTimeout(done, 50));
      return refused;
    }""")
    assert refused == ["connect-src", "img-src", "require-trusted-types-for"]
