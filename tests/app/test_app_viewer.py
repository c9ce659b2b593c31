"""The viewer in a real browser: real values, windowed where they are shown, without asking the server."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from medclassify.dicom import NewInstance, read_image, write_image

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
Serve = Callable[..., tuple[str, object]]
SHADES = """canvas => {
  const [w, h] = [canvas.width, canvas.height], side = Math.min(w, h);
  const data = canvas.getContext("2d").getImageData(0, 0, w, h).data, found = [];
  for (const y of [.1, .3, .5, .7, .9]) for (const x of [.1, .3, .5, .7, .9])
    found.push(data[4 * (Math.floor(h / 2 + (y - .5) * side) * w + Math.floor(w / 2 + (x - .5) * side))]);
  return found;
}"""


@pytest.fixture(scope="module")
def page(build_run: Callable[..., Path], serve: Serve, chromium: Browser) -> Iterator[Page]:
    """The viewer of one sample; its image is square, 320 pixels wide, of MONOCHROME1 and with a spacing."""
    import pandas as pd

    run = build_run()
    original = run.parent / "spaced.dcm"
    y, x = np.mgrid[0:320, 0:320]
    pixels = (2000 + 1500 * np.sin(x / 60) * np.cos(y / 45)).astype(np.uint16)
    write_image(
        original, pixels, NewInstance(photometric="MONOCHROME1", window_center=2048, window_width=3000, spacing_mm=(0.5, 0.5))
    )
    manifest = pd.read_parquet(run / "manifest.parquet")
    manifest.loc[manifest["sample_id"] == "sample-000", "path"] = str(original)
    manifest.to_parquet(run / "manifest.parquet")
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.original = original  # type: ignore[attr-defined]
    page.goto(f"{serve(run)[0]}/?reader=viewer&sample=sample-000")
    canvas(page).wait_for()
    page.wait_for_timeout(500)
    yield page
    context.close()


def canvas(page: Page) -> Locator:
    return page.locator("canvas[role=img][data-frames]")


def drag(page: Page, *ways: tuple[float, float], steps: int = 4) -> None:
    """Drags from the middle of the image by each way in turn, in pixels of the screen."""
    box = canvas(page).bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for dx, dy in ways:
        page.mouse.move(x + dx, y + dy, steps=steps)
    page.mouse.up()
    page.wait_for_timeout(100)


def corner(page: Page) -> str:
    return page.locator(".corner").first.inner_text()


def test_what_is_drawn_is_what_the_library_makes_of_the_file(page: Page) -> None:
    page.keyboard.press("f")
    page.wait_for_timeout(200)
    expected = 255 * read_image(page.original, window="voi").pixels  # type: ignore[attr-defined]
    at = [int(320 * share) for share in (0.1, 0.3, 0.5, 0.7, 0.9)]
    np.testing.assert_allclose(canvas(page).evaluate(SHADES), expected[np.ix_(at, at)].ravel(), atol=6)  # smooth enlargement
    page.keyboard.press("i")
    page.wait_for_timeout(200)
    np.testing.assert_allclose(canvas(page).evaluate(SHADES), 255 - expected[np.ix_(at, at)].ravel(), atol=6)
    page.keyboard.press("i")


def test_dragging_sets_the_window_without_a_word_to_the_server(page: Page) -> None:
    page.keyboard.press("f")
    page.keyboard.press("d")
    page.evaluate("""() => { window.sentFrames = 0; const send = WebSocket.prototype.send;
        WebSocket.prototype.send = function (data) { window.sentFrames++; return send.call(this, data); }; }""")
    before, drawn = canvas(page).evaluate(SHADES), int(canvas(page).get_attribute("data-frames") or 0)
    drag(page, (200, 0), (200, 120), steps=20)
    assert canvas(page).evaluate(SHADES) != before
    assert int(canvas(page).get_attribute("data-frames") or 0) > drawn + 5
    assert page.evaluate("window.sentFrames") == 0
    assert page.locator(".presets").first.input_value() == "by hand"


def test_lengths_are_in_millimetres_and_say_by_what(page: Page) -> None:
    page.keyboard.press("f")
    page.keyboard.press("m")
    drag(page, (100, 0))
    assert "lengths by Imager Pixel Spacing: at the detector, where the body is magnified" in corner(page)
    page.keyboard.press("d")


def test_zoom_and_pan_and_the_way_back(page: Page) -> None:
    page.keyboard.press("f")
    page.wait_for_timeout(200)
    whole, text = canvas(page).evaluate(SHADES), corner(page)
    box = canvas(page).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.wheel(0, -400)
    page.wait_for_timeout(200)
    assert corner(page).split(" · ")[2] != text.split(" · ")[2]
    page.keyboard.press("p")
    drag(page, (60, 40))
    assert canvas(page).evaluate(SHADES) != whole
    page.keyboard.press("f")
    page.keyboard.press("d")
    page.wait_for_timeout(200)
    assert canvas(page).evaluate(SHADES) == whole


def test_a_preset_is_kept_on_the_next_sample(page: Page) -> None:
    page.locator(".presets").first.select_option("all values")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("Image of sample sample-000")).to_have_count(0)
    canvas(page).wait_for()
    expect(page.locator(".presets").first).to_have_value("all values")
    page.go_back()
