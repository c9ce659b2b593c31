"""Makes docs/images/ from a run on synthetic data: ``python docs/make/pictures.py RUN``, where Chromium is installed.

A run of the demonstration, ``medclassify fit configs/chest_xray.yaml``, will do. Pictures show no real patient: a run on other
data is refused.
"""

import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from medclassify.records import Answer, Presence
from medclassify.review import Desk, ReviewStore, named_reader, open_review_run

IMAGES = Path(__file__).resolve().parents[1] / "images"
READER = "Dr Example"
SIZE = {"width": 1280, "height": 860}


def main(run: Path) -> None:
    """Takes both pictures."""
    if not json.loads((run / "provenance.json").read_text(encoding="utf-8")).get("synthetic"):
        raise SystemExit(f"{run}: not made from synthetic data. Name a run of configs/chest_xray.yaml.")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        copy = Path(folder) / "demonstration"
        shutil.copytree(run, copy)  # reading a case would be stored in the run
        browser = playwright.chromium.launch(executable_path=program, args=["--headless", "--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport=SIZE)
        page.set_default_timeout(300_000)
        page.goto((copy / "audit" / "report.html").as_uri())
        take(page, "report.png")
        sample = revealed_case(copy)
        with served(copy) as address:
            page.goto(f"{address}/?reader={READER.replace(' ', '+')}&sample={sample}")
            page.locator("canvas[role=img]").first.wait_for()
            page.wait_for_timeout(4000)
            take(page, "review.png")
        browser.close()


def take(page: Page, name: str) -> None:
    """Writes what the window shows, in few colours: a tenth of the bytes."""
    path = IMAGES / name
    path.parent.mkdir(exist_ok=True)
    page.screenshot(path=path)
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(128).save(path, optimize=True)
    print(f"wrote {path} ({path.stat().st_size // 1024} KiB)")


def revealed_case(run: Path) -> str:
    """A case with a stored map, whose reader has seen the model's answer."""
    opened = open_review_run(run)
    desk, reader = Desk(opened, ReviewStore(opened.layout.reviews)), named_reader(READER)
    cases = json.loads((opened.layout.explain / "index.json").read_text(encoding="utf-8"))["cases"]
    sample = str(cases[0]["sample_id"])
    answers = [Answer(finding, Presence.ABSENT, 70) for finding in opened.findings]
    desk.reveal(reader, desk.lock_first(reader, desk.open(reader, sample), answers, seconds=20))
    return sample


@contextmanager
def served(run: Path) -> Iterator[str]:
    """The review page, in a process of its own."""
    command = [sys.executable, "-m", "medclassify", "review", str(run), "--port", "8599"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield re.findall(r"http://\S+", process.stdout.readline())[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=300)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
