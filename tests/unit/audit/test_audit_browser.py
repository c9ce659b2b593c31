"""The report in a real browser: it fits a desk and a phone, needs no network, and prints whole."""

from pathlib import Path

import numpy as np
import pytest

from medclassify.audit import ReportFacts, write_audit

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(make_predictions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    predictions = make_predictions(400, weaker_in="F", goes_with_view=True, images=4)
    predictions["site"] = (
        predictions["sample_id"].str[-1].map(lambda digit: "<script>document.title='hit'</script>" if digit < "4" else "North")
    )
    predictions["ward"] = np.where(predictions["patient_id"] < "p00004", "of few patients", "of many")
    facts = ReportFacts(
        "A title",
        synthetic=True,
        counts={"train": {"patients": 123_456, "images": 1_234_567}, "test": {"patients": 100, "images": 400}},
        exclusions={"pixels cannot be decoded: the JPEG stream ends before the picture does": 3},
        history=({"epoch": 1, "tune_loss_of_the_second_head": 0.5}, {"epoch": 2, "tune_loss_of_the_second_head": 0.25}),
    )
    write_audit(folder, predictions, facts, attributes=["sex", "view", "site", "ward"], bootstrap=100)
    return folder / "report.html"


@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_the_screen_and_asks_for_nothing(chromium, report: Path, width: int) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 900})
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    assert said == []
    assert asked == [report.as_uri()]
    assert page.title() == "A title – audit report"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Nothing is cut off: what is wider than its box can be scrolled within it.
    cut = page.evaluate(
        """() => [...document.querySelectorAll('p, li, figcaption, h1, h2, summary')]
            .filter(e => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline')
            .map(e => e.textContent.slice(0, 60))"""
    )
    assert cut == []
    if width == 1280:
        hidden = page.evaluate(
            """() => [...document.querySelectorAll('.scroll')]
                .filter(e => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1)
                .map(e => [e.ariaLabel, e.scrollWidth, e.clientWidth])"""
        )
        assert hidden == []  # a table whose last column is out of sight, with nothing to say so
    page.close()


def test_no_word_of_a_picture_runs_off_its_edge(chromium, report: Path) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto(report.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    texts = page.evaluate(
        """() => [...document.querySelectorAll('svg')].flatMap(svg => [...svg.querySelectorAll('text')].map(e =>
            [e.textContent, e.getBoundingClientRect().right - svg.getBoundingClientRect().right]))"""
    )
    assert any("1,234,567 images" in text for text, _ in texts)  # the longest there is
    assert [text for text, over in texts if over > 0] == []
    page.close()


def test_text_is_dark_enough_on_its_ground(chromium, report: Path) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto(report.as_uri())
    worst = page.evaluate(
        """() => {
            const light = c => { const v = c.map(x => x / 255).map(x => x <= .04045 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4);
                return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
            const rgb = s => s.match(/[\\d.]+/g).map(Number);
            const ground = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
                if (c.length === 3 || c[3] > 0) return c; } return [255, 255, 255]; };
            let low = [99, ''];
            for (const e of document.querySelectorAll('p, li, td, th, dt, dd, summary, caption, .chip, strong, small, a')) {
                const a = light(rgb(getComputedStyle(e).color)), b = light(ground(e));
                const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
                if (ratio < low[0]) low = [ratio, e.textContent.slice(0, 40)];
            }
            return low; }"""
    )
    assert worst[0] >= 4.5, worst  # WCAG 2.2, 1.4.3
    page.close()


def test_print_shows_what_the_screen_folds_away(chromium, report: Path, tmp_path: Path) -> None:
    page = chromium.new_page()
    page.goto(report.as_uri())
    folded = page.locator("details:not([open])")
    assert folded.count() > 0
    page.emulate_media(media="print")
    hidden = page.evaluate(
        "[...document.querySelectorAll('details:not([open]) table')].filter(e => e.getBoundingClientRect().height === 0).length"
    )
    assert hidden == 0
    page.pdf(path=str(tmp_path / "report.pdf"), prefer_css_page_size=True)
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    page.close()
