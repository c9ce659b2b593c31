"""The viewer in a real browser: real values, windowed where they are shown, without asking the server."""

import re
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


COLOUR = """canvas => {
  const side = Math.min(canvas.width, canvas.height);
  const [x, y] = [canvas.width / 2 + 0.04 * side, canvas.height / 2 + 0.16 * side];
  const data = canvas.getContext("2d").getImageData(x, y, 1, 1).data;
  return [data[0], data[2]];
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


@pytest.fixture
def stacked(build_run: Callable[..., Path]) -> Path:
    """A run whose first sample is a whole series of five slices, with a map of the fourth."""
    import json

    import pandas as pd

    from medclassify.dicom import NewSlice, write_slice

    run = build_run()
    rows = []
    for number in range(5):
        path = run.parent / f"slice-{number}.dcm"
        facts = NewSlice(
            sop_uid=f"2.25.{number + 10}", study_uid="2.25.1", series_uid="2.25.2", frame_of_reference_uid="2.25.3",
            instance_number=9 - number, position=(0, 0, 5.0 * number), spacing_mm=(0.5, 0.5), thickness_mm=5,
        )  # fmt: skip
        write_slice(path, np.full((320, 320), 100 * number, np.int16) + np.arange(320, dtype=np.int16) % 7, facts)
        rows.append(("sample-000", f"slice-{number}", str(path), 5.0 * number, "2.25.2"))
    columns = ["stack", "slice_id", "path", "position_mm", "series_uid"]
    pd.DataFrame(rows[::-1], columns=columns).to_parquet(run / "manifest.slices.parquet")  # the file's order says nothing
    manifest = pd.read_parquet(run / "manifest.parquet")
    manifest.loc[manifest["sample_id"] == "sample-000", ["path", "modality"]] = [rows[2][2], "CT"]
    manifest.to_parquet(run / "manifest.parquet")
    index = json.loads((run / "explain" / "index.json").read_text(encoding="utf-8"))
    index["cases"][0] |= {"slice_id": "slice-3", "slice": 3, "slices": 5, "attention": 0.8}
    (run / "explain" / "index.json").write_text(json.dumps(index), encoding="utf-8")
    weights = {"sample_id": "sample-000", "slice_id": [f"slice-{number}" for number in range(5)]}
    pd.DataFrame({**weights, "cardiomegaly": [0.02, 0.1, 0.05, 0.8, 0.03], "effusion": [0.6, 0.1, 0.1, 0.1, 0.1]}).to_parquet(
        run / "explain" / "attention.parquet"
    )
    return run


def test_a_series_opens_at_the_slice_of_its_map_and_shows_the_map_there_alone(
    stacked: Path, serve: Serve, chromium: Browser
) -> None:
    page = chromium.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{serve(stacked)[0]}/?reader=X&role=auditor&sample=sample-000")
    canvas(page).wait_for()
    expect(page.locator(".corner").first).to_contain_text("slice 4 of 5")
    page.keyboard.press("f")
    page.wait_for_timeout(300)
    plain = canvas(page).evaluate(SHADES)
    page.keyboard.press("g")
    expect(page.locator(".legend, canvas.legend").first).to_be_visible()
    page.wait_for_timeout(500)
    assert canvas(page).evaluate(SHADES) != plain  # the map lies over its own slice
    red, blue = canvas(page).evaluate(COLOUR)
    assert red != blue
    page.keyboard.press("ArrowUp")
    expect(page.locator(".corner").first).to_contain_text("slice 3 of 5")
    expect(page.locator(".corner").first).to_contain_text("the map is of slice 4")
    page.wait_for_timeout(500)
    red, blue = canvas(page).evaluate(COLOUR)
    assert red == blue  # a grey slice and nothing over it
    page.context.close()


def test_the_slices_that_count_most_are_shown_once_the_answer_is_and_can_be_gone_to(
    stacked: Path, serve: Serve, chromium: Browser
) -> None:
    page = chromium.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(60_000)
    frames: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: frames.append(str(data))))
    page.goto(f"{serve(stacked)[0]}/?reader=X&sample=sample-000")
    canvas(page).wait_for()
    expect(page.locator(".corner").first).to_contain_text("slice 3 of 5")  # the middle one: the model's peak would tell of it
    expect(page.locator(".strip")).to_be_hidden()
    expect(page.get_by_text("5 findings")).to_be_visible()
    for key, next_step in (("Shift+A", "5 of 5 findings"), ("l", "Your first read is locked."), ("v", "Do you agree?")):
        assert not re.search(r'"of": *\[', "".join(frames))
        page.keyboard.press(key)
        expect(page.get_by_text(next_step).first).to_be_visible()
        page.wait_for_timeout(500)
    page.get_by_role("button", name="cardiomegaly", exact=True).click()
    expect(page.get_by_text("How much each slice counts for cardiomegaly")).to_be_visible()
    expect(page.locator(".strip")).to_have_attribute("aria-label", "Weights of slices: 4: 80 %, 2: 10 %, 3: 5 %")
    page.get_by_role("button", name="Slice 2 · 10 %").click()
    expect(page.locator(".corner").first).to_contain_text("slice 2 of 5")
    box = page.locator(".strip").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.95 * box["width"], box["y"] + 10)
    expect(page.locator(".corner").first).to_contain_text("slice 5 of 5")
    page.get_by_role("button", name="effusion", exact=True).click()
    expect(page.get_by_role("button", name="Slice 1 · 60 %")).to_be_visible()
    page.get_by_role("button", name="nodule", exact=True).click()
    expect(page.get_by_text("attention.parquet: not a file of slices' weights")).to_be_visible()  # and the image stays
    expect(page.locator(".strip")).to_be_hidden()
    assert re.search(r'"of": *\[', "".join(frames))
    page.context.close()
