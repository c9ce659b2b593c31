"""The page in a real browser, as its readers use it: from signing in to the export."""

import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Dialog, Page, expect

from medclassify.records import Answer, Mark, Presence, ReadingState, Role, Verdict
from medclassify.review import Accounts, Desk, ReviewStore, answer_to, named_reader, open_review_run

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
Serve = Callable[..., tuple[str, "subprocess.Popen[str]"]]

expect.set_options(timeout=60_000)  # on a busy machine a page takes a while

COMMENT = "<script>document.title='owned'</script> \"axuw\" & 'quotes' **not bold** <img src=x onerror=alert(1)>"
PASSWORD = "a long enough password"
IMAGE = "canvas[role=img][data-frames]"


class Watch:
    """What a page asked of the network, what came, and what it complained about."""

    def __init__(self, page: Page) -> None:
        self.outside: list[str] = []
        self.errors: list[str] = []
        self.frames: list[bytes] = []
        self.fetched: list[str] = []
        page.on("request", lambda request: self._request(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("dialog", self._dialog)
        page.on("websocket", lambda socket: socket.on("framereceived", lambda data: self.frames.append(_bytes(data))))

    def _dialog(self, dialog: Dialog) -> None:
        self.errors.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, url: str) -> None:
        if "/pixels/" in url:
            self.fetched.append(url)
        if not re.match(r"(https?|wss?)://127\.0\.0\.1[:/]|data:|blob:|about:", url):
            self.outside.append(url)

    def came(self, *words: str) -> list[str]:
        """Those of the words that stand in a message of the server."""
        together = b"".join(self.frames)
        return [word for word in words if word.encode() in together]


def _bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data


@pytest.fixture(scope="module")
def demo(build_run, serve: Serve) -> tuple[str, Path]:
    """A served run without accounts that several tests share, each under a reader's name of its own."""
    run = build_run()
    return serve(run)[0], run


def settled(page: Page) -> None:
    """Waits until the script run has ended, and the page listens to keys."""
    page.wait_for_timeout(200)
    expect(page.locator("[data-testid=stApp]")).to_have_attribute("data-test-script-state", "notRunning")
    page.wait_for_timeout(200)


def image_of(page: Page, sample: str | None = None) -> str:
    """Waits for the painted image of a sample, and says whose it is."""
    image = page.locator(f"{IMAGE}[aria-label$='{sample}']" if sample else IMAGE).first
    image.wait_for()
    settled(page)
    return str(image.get_attribute("aria-label")).removeprefix("Image of sample ")


def press(page: Page, key: str) -> None:
    page.keyboard.press(key)
    settled(page)


def held_values(page: Page) -> str:
    """What the page has fetched of images, without the pixels."""
    return page.evaluate("JSON.stringify([...window.mcPixels.images.values()].map(({values, levels, ...facts}) => facts))")


def desk_of(run: Path) -> Desk:
    return Desk(open_review_run(run), ReviewStore(run / "reviews.sqlite"))


def test_a_case_is_read_from_signing_in_to_the_export(build_run, serve: Serve, page: Page, tmp_path: Path) -> None:
    run = build_run()
    accounts = Accounts(ReviewStore(run / "reviews.sqlite"))
    accounts.add("Ida", [Role.READER], password=PASSWORD)
    accounts.add("Aud", [Role.AUDITOR], password=PASSWORD)
    address, _ = serve(run)
    watch = Watch(page)
    page.goto(address)
    sign_in(page, "Ida")
    for notice in ("Not a medical device", "SYNTHETIC DATA", "RANDOM WEIGHTS"):
        expect(page.get_by_text(notice).first).to_be_visible()
    expect(page.get_by_role("button", name="Begin reading")).to_be_visible()
    settled(page)
    press(page, "s")
    sample = image_of(page)
    items = desk_of(run).samples.items(sample)

    press(page, "5")  # the chosen finding: present
    expect(page.get_by_text("1 of 5 findings")).to_be_visible()
    page.get_by_role("button", name=items[0].finding, exact=True).click()
    settled(page)
    box = page.locator(IMAGE).bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.keyboard.press("b")
    page.mouse.move(middle[0] - 40, middle[1] - 30)
    page.mouse.down()
    page.mouse.move(middle[0] + 60, middle[1] + 50)
    page.mouse.up()
    expect(page.get_by_text("1 marked")).to_be_visible()
    settled(page)
    page.get_by_placeholder("Comment (stored with your answer)").click()
    page.keyboard.type(COMMENT)  # holds a, x, u and w, which outside the field are shortcuts
    page.keyboard.press("Control+Enter")
    settled(page)
    press(page, "Shift+A")
    expect(page.get_by_text("5 of 5 findings")).to_be_visible()
    page.reload()  # neither the session nor what was typed is lost
    expect(page.get_by_text("5 of 5 findings")).to_be_visible()
    assert watch.came(*[f"{100 * item.probability:.1f} %" for item in items], "POSITIVE", "threshold ", "conv_head") == []
    image_of(page)
    press(page, "l")
    expect(page.get_by_text("Your first read is locked.").first).to_be_visible()
    assert watch.came(*[f"{100 * item.probability:.1f} %" for item in items], "POSITIVE", "threshold ", "conv_head") == []
    press(page, "v")
    expect(page.get_by_text("Do you agree?")).to_be_visible()
    assert len(watch.came(*[f"{100 * item.probability:.1f} %" for item in items])) == 5
    page.get_by_role("button", name="Reject Shortcut X").dblclick()  # a double click gives one verdict
    expect(page.get_by_text("Your answers on this sample (1)")).to_be_visible()
    settled(page)
    press(page, "Shift+A")
    expect(page.get_by_text("All findings are judged")).to_be_visible()

    reading = desk_of(run).reading(named_reader("Ida"), sample)
    assert reading.state is ReadingState.DONE
    assert [answer.verdict for answer in reading.second].count(Verdict.REJECT) == 1
    first = reading.first[0]
    assert (first.presence, first.comment) == (Presence.PRESENT, COMMENT)
    (mark,) = first.marks
    shown = 320 / min(box["width"], box["height"])
    assert abs(mark.x - (160 - 40 * shown)) < 2 and abs(mark.width - 100 * shown) < 2
    press(page, "ArrowRight")
    expect(page.get_by_text("2 of 12")).to_be_visible()
    assert image_of(page) != sample
    assert "image/sample-" in held_values(page)
    assert "CANARY" not in held_values(page)
    assert len(watch.fetched) == 5  # this image and the next, both again when the page was loaded again, and the one after
    assert page.request.get(watch.fetched[-1]).ok

    page.get_by_role("button", name="Sign out").click()
    sign_in(page, "Aud")
    assert page.request.get(watch.fetched[-1]).status == 404  # an image can be fetched as long as its reader is signed in
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Readings as CSV").click()
    download.value.save_as(tmp_path / "readings.csv")
    text = (tmp_path / "readings.csv").read_text()
    assert sample in text and "document.title" in text
    assert page.title() == "Review · medclassify"
    assert watch.came("CANARY") == []
    assert "CANARY" not in page.content()
    assert b"CANARY" not in b"".join(file.read_bytes() for file in run.glob("reviews.sqlite*"))
    assert watch.outside == []
    assert watch.errors == []


def sign_in(page: Page, name: str) -> None:
    page.get_by_role("textbox", name="Name").fill(name)
    page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text(f"{name} ·")).to_be_visible()
    settled(page)


def test_another_readers_blind_read_is_in_no_message(demo: tuple[str, Path], page: Page) -> None:
    address, run = demo
    desk, other = desk_of(run), named_reader("Dr Secret")
    answers = [
        Answer(name, Presence.PRESENT, 60, comment="nobody-may-read-this", marks=(Mark(12.5, 7.5),))
        for name in desk.run.findings
    ]
    desk.lock_first(other, desk.open(other, "sample-002"), answers, seconds=1)
    reading, items = desk.reveal(other, desk.reading(other, "sample-002"))
    desk.answer(other, reading, [answer_to(item, Verdict.ACCEPT, confidence=60) for item in items], seconds=1)
    watch = Watch(page)
    page.goto(f"{address}/?reader=curious&sample=sample-002")
    image_of(page, "sample-002")
    for key in ("Shift+A", "l", "v"):
        press(page, key)
    expect(page.get_by_text("Do you agree?")).to_be_visible()
    for place in ("", "page=audit", "page=statistics", "page=monitoring", "page=export"):
        page.goto(f"{address}/?reader=curious&{place}")
        settled(page)
    assert watch.came("sample-002") == ["sample-002"]
    assert watch.came("nobody-may-read-this", "Dr Secret") == []


def test_names_from_files_stay_text(build_run, serve: Serve, page: Page) -> None:
    hostile = ("<b>bold</b>[link](javascript:alert(1))", "$x^2$ :red[red]", "`code` ![i](http://evil.invalid/i.png)")
    watch = Watch(page)
    address, _ = serve(build_run(names=hostile))
    page.goto(f"{address}/?reader=%3Cscript%3Ealert(1)%3C%2Fscript%3E&sample=sample-000")
    for name in hostile:
        expect(page.get_by_role("button", name=name, exact=True)).to_be_visible()
    expect(page.get_by_text("<script>alert(1)</script>")).to_be_visible()
    image_of(page)
    for key in ("Shift+A", "l", "v"):
        press(page, key)
    for name in hostile:
        expect(page.get_by_role("button", name=name, exact=True)).to_be_visible()
    page.goto(f"{address}/?reader=x&sample=..%2F..%2Fetc%2Fpasswd%3Cb%3E'--")
    expect(page.get_by_text("This run has no sample ../../etc/passwd<b>'--.")).to_be_visible()
    page.goto(f"{address}/?reader=x&page=%3Cb%3Eno")
    expect(page.get_by_text("There is no page <b>no for you.")).to_be_visible()
    assert watch.outside == []
    assert watch.errors == []


@pytest.mark.slow
def test_keys_work_after_a_click_on_anything_but_a_text_field(demo: tuple[str, Path], page: Page) -> None:
    page.goto(f"{demo[0]}/?reader=clicks")
    page.get_by_role("combobox", name="Finding").click()
    page.get_by_role("option", name="nodule").click()
    expect(page.get_by_role("combobox", name="Finding")).to_have_value("nodule")
    settled(page)
    press(page, "s")
    place = page.get_by_text(re.compile(r"· \d+ of \d+$"))
    for step, held in enumerate(("Invert", "Zoom", "effusion", "Probably present"), start=1):
        expect(place).to_contain_text(f"{step} of ")
        image_of(page)
        page.get_by_text(held, exact=True).click()
        settled(page)
        page.keyboard.press("ArrowRight")
    expect(place).to_contain_text("5 of ")
    page.get_by_placeholder("Comment (stored with your answer)").click()
    page.keyboard.type("w")  # a text field holds the key back, until the comment is done
    page.keyboard.press("Control+Enter")
    expect(page.get_by_placeholder("Comment (stored with your answer)")).not_to_be_focused()
    settled(page)
    page.keyboard.press("w")
    expect(page.get_by_role("button", name="Go on reading")).to_be_visible()


@pytest.mark.slow
def test_a_click_on_a_row_opens_its_sample(demo: tuple[str, Path], page: Page) -> None:
    page.goto(f"{demo[0]}/?reader=row")
    table = page.locator("[data-testid=stDataFrame] canvas").first
    table.wait_for()
    settled(page)
    for _ in range(2):  # and again after coming back
        box = table.bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + 120, box["y"] + 38 + 35 * 2 + 17)
        expect(page.get_by_text("3 of 12")).to_be_visible()
        settled(page)
        page.keyboard.press("w")
        table.wait_for()
        settled(page)


@pytest.mark.slow
def test_no_label_is_cut_on_a_small_screen(demo: tuple[str, Path], page: Page) -> None:
    page.set_viewport_size({"width": 1024, "height": 768})
    page.goto(f"{demo[0]}/?reader=small&sample=sample-000")
    image_of(page)
    for key in ("Shift+A", "l", "v"):
        press(page, key)
    for label in ("Invert", "Reset", "Grad-CAM", "Show reference label", "Supplement"):
        place = page.get_by_text(label, exact=True).first
        place.wait_for()
        # The nearest box that hides what does not fit in it shows whether something was hidden.
        cut = place.evaluate(
            "e => { for (; e; e = e.parentElement) if (getComputedStyle(e).overflow === 'hidden') "
            "return e.scrollWidth > e.clientWidth; return false; }"
        )
        assert not cut, label


@pytest.mark.slow
def test_the_overlay_comes_with_its_scale_and_its_sanity_check(demo: tuple[str, Path], page: Page) -> None:
    address, run = demo
    page.goto(f"{address}/?reader=overlay&sample=sample-000")
    image_of(page)
    for key in ("Shift+A", "l", "v"):
        press(page, key)
    page.get_by_role("button", name="cardiomegaly", exact=True).click()
    expect(page.get_by_text("sanity check not run")).to_be_visible()
    settled(page)
    page.get_by_text("Grad-CAM", exact=True).click()
    expect(page.get_by_text("0 to 2 logits and more")).to_be_visible()
    press(page, "Shift+A")
    expect(page.get_by_text("All findings are judged")).to_be_visible()
    shown = desk_of(run).reading(named_reader("overlay"), "sample-000").shown
    assert shown == ("image", "probability", "saliency/cardiomegaly")


@pytest.mark.slow
def test_a_folder_named_app_where_the_user_stands_is_not_the_page(build_run, serve: Serve, page: Page, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text("raise SystemExit('the wrong app')")
    address, _ = serve(build_run(), cwd=tmp_path)
    page.goto(f"{address}/?reader=x")
    expect(page.get_by_text("12 samples")).to_be_visible()


@pytest.mark.slow
def test_what_was_stored_survives_a_kill_of_the_server(build_run, serve: Serve, page: Page) -> None:
    run = build_run()
    address, process = serve(run)
    page.goto(f"{address}/?reader=Dr+Ida&sample=sample-000")
    image_of(page)
    for key in ("Shift+A", "l"):
        press(page, key)
    expect(page.get_by_text("Your first read is locked.").first).to_be_visible()
    (child,) = (
        int(line) for line in subprocess.check_output(["ps", "-o", "pid=", "--ppid", str(process.pid)], text=True).split()
    )
    os.kill(child, signal.SIGKILL)
    assert process.wait(timeout=120) == 1
    assert desk_of(run).reading(named_reader("Dr Ida"), "sample-000").state is ReadingState.LOCKED


@pytest.mark.slow
def test_the_chosen_finding_stays_in_sight(build_run, serve: Serve, page: Page) -> None:
    names = tuple(f"finding {number}" for number in range(1, 6))
    page.set_viewport_size({"width": 1024, "height": 520})
    page.goto(f"{serve(build_run(names=names))[0]}/?reader=Ida&sample=sample-000")
    image_of(page)
    for key in ("Shift+A", "l", "v"):
        press(page, key)
    expect(page.get_by_text("Do you agree?")).to_be_visible()
    for _ in range(5):
        asked = str(page.get_by_text("Do you agree?").inner_text()).split(" is called")[0]
        page.wait_for_timeout(500)
        inside = page.get_by_role("button", name=asked, exact=True).evaluate(
            """button => { const [row, frame] = [button, document.querySelector(".st-key-findings")]
            .map((each) => each.getBoundingClientRect()); return row.top >= frame.top && row.bottom <= frame.bottom; }"""
        )
        assert inside, asked
        press(page, "a")
    expect(page.get_by_text("All findings are judged")).to_be_visible()
