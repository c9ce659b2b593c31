"""The review page of a run of 100,000 samples in Chromium: first paint, next case, windowing, twenty readers at once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness import Measure, NotMeasurableError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CORES = None
SIDE = 2048
FINDINGS = ("cardiomegaly", "effusion", "nodule", "consolidation", "pneumothorax")
_IMAGE = "canvas[role=img][data-frames]"
_SWITCHES = (
    "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync "
    "--no-first-run"
)
# Times, in the page itself, from a key to the painted image of another sample. It looks at frames only while it waits: twenty
# pages that draw sixty frames a second for nothing would be all that is measured.
_WATCH = """() => {
  window.caseTimes = [];
  let since = 0, before = "";
  const label = () => {  // the viewer's canvas stands behind a shadow root
    for (const host of document.querySelectorAll("div")) {
      const canvas = host.shadowRoot?.querySelector("canvas[role=img][data-frames]");
      if (canvas) return canvas.getAttribute("aria-label");
    }
  };
  const look = () => {
    const now = label();
    if (!now || now === before) return requestAnimationFrame(look);
    window.caseTimes.push(performance.now() - since);
    since = 0;
  };
  window.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowRight") return;
    if (!since) requestAnimationFrame(look);
    [since, before] = [performance.now(), label()];
  }, true);
}"""
# Moves the pressed pointer once a frame, for two seconds, and counts what the viewer drew meanwhile.
_DRAG = """(canvas) => new Promise((done) => {
  const box = canvas.getBoundingClientRect(), started = performance.now(), drawn = Number(canvas.dataset.frames);
  const send = (kind, share) => canvas.dispatchEvent(new PointerEvent(kind, {
    pointerId: 1, bubbles: true, clientX: box.left + box.width * (0.5 + 0.3 * Math.sin(6 * share)),
    clientY: box.top + box.height * (0.5 + 0.3 * Math.cos(5 * share)) }));
  canvas.setPointerCapture = () => {};
  send("pointerdown", 0);
  const step = () => {
    const passed = performance.now() - started;
    if (passed < 2000) { send("pointermove", passed / 1000); requestAnimationFrame(step); return; }
    send("pointerup", 2);
    done(1000 * (Number(canvas.dataset.frames) - drawn) / passed);
  };
  step();
})"""


def keys(quick: bool) -> Mapping[str, Callable[[], Measure]]:
    """What a reader waits for."""
    return {
        "first_paint_s": lambda: first_paint_s(quick),
        "next_case_ms": lambda: next_case_ms(quick),
        "window_fps": lambda: window_fps(quick),
        "sessions_20_p95_ms": lambda: sessions_20_p95_ms(quick),
    }


def first_paint_s(quick: bool) -> Measure:
    """From opening the address of a server that has just come up to the worklist in the browser, ready to begin reading."""
    times, tables = [], []
    for _ in range(2 if quick else 3):
        with _served(_samples(quick)) as (address, _), _browser() as browser:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            started = time.perf_counter()
            page.goto(f"{address}/?reader=Ida")
            page.get_by_role("button", name="Begin reading").wait_for()
            times.append(time.perf_counter() - started)
            page.locator("[data-testid=stDataFrame] canvas").first.wait_for()
            tables.append(time.perf_counter() - started)
    note = f"{_samples(quick):,} samples, {len(FINDINGS)} findings; worklist with filters, progress and button; its table "
    note += f"stands after {statistics.median(tables):.2f} s; a fresh server and browser each time"
    return Measure("first_paint_s", statistics.median(times), 1.5, "lower", _busy(note), min(times), max(times))


def next_case_ms(quick: bool) -> Measure:
    """From the key to the painted image of the next sample."""
    with _served(_samples(quick)) as (address, _), _browser() as browser:
        page = _reading(browser, address, "Ida")
        for _ in range(5 if quick else 15):
            _next(page)
        times = page.evaluate("window.caseTimes")[1:]
    note = f"key → to the painted image, 12-bit {SIDE} × {SIDE}, of {_samples(quick):,} samples"
    return Measure("next_case_ms", statistics.median(times), 300, "lower", _busy(note), min(times), max(times))


def window_fps(quick: bool) -> Measure:
    """Frames a second while window and level are dragged; not one message may pass to or from the server."""
    with _served(_samples(quick)) as (address, _), _browser() as browser:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        traffic: list[int] = []
        page.on("websocket", lambda socket: _count(socket, traffic))
        _begin(page, address, "Ida")
        page.wait_for_timeout(2000)
        before = len(traffic)
        rates = [page.locator(_IMAGE).evaluate(_DRAG) for _ in range(2 if quick else 4)]
        messages = len(traffic) - before
    if messages:
        raise NotMeasurableError(f"{messages} messages passed between browser and server during the drag")
    note = f"12-bit {SIDE} × {SIDE} in a window of 1440 × 900, 2 s a round, no message to or from the server"
    return Measure("window_fps", statistics.median(rates), 30, "higher", _busy(note), min(rates), max(rates))


def sessions_20_p95_ms(quick: bool) -> Measure:
    """The 95th percentile of the next case with twenty readers, each of whom goes on every 8 to 16 seconds."""
    import random

    readers, draw = 4 if quick else 20, random.Random(0)
    with _served(_samples(quick)) as (address, server), _browser() as browser:
        pages = [_reading(browser, address, f"Reader {number}") for number in range(readers)]
        due = [time.monotonic() + draw.uniform(0, 12) for _ in pages]
        ends, used = time.monotonic() + (16 if quick else 45), _processor_ms(server)
        while time.monotonic() < ends:
            at = min(range(readers), key=due.__getitem__)
            pages[at].wait_for_timeout(max(0, 1000 * (due[at] - time.monotonic())))
            pages[at].keyboard.press("ArrowRight")
            due[at] = time.monotonic() + draw.uniform(8, 16)
        pages[0].wait_for_timeout(3000)
        used = _processor_ms(server) - used
        times = sorted(value for page in pages for value in page.evaluate("window.caseTimes"))
    p95 = times[min(len(times) - 1, int(0.95 * len(times)))]
    note = f"{readers} sessions in one browser, a step every 8 to 16 s each, {len(times)} steps"
    note += f", median {times[len(times) // 2]:.0f} ms, {used / len(times):.0f} ms of the server's processor time a step"
    return Measure("sessions_20_p95_ms", p95, 500, "lower", _busy(note), times[0], times[-1])


# --- the run


def _samples(quick: bool) -> int:
    return 5_000 if quick else 100_000


@cache
def _run(samples: int) -> Path:
    """A run directory as ``fit`` leaves it; its images are 16 radiographs, over and over."""
    import atexit

    import numpy as np
    import pandas as pd

    from medclassify.calibration import Calibrator, FindingMap, operating_points_to_json
    from medclassify.dicom import NewInstance, write_image
    from medclassify.records import OperatingPoint, Split

    folder = Path(tempfile.mkdtemp(prefix="review-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    root, draw = folder / "run", np.random.default_rng(0)
    for part in ("explain", "model", "originals"):
        (root / part).mkdir(parents=True)
    y, x = np.mgrid[0 : 1 : SIDE * 1j, 0 : 1 : SIDE * 1j]
    for number in range(16):
        pixels = 2000 + 1200 * np.sin((7 + number) * x) * np.cos(9 * y) + draw.normal(0, 20, x.shape)
        instance = NewInstance(window_center=2048, window_width=3900, spacing_mm=(0.15, 0.15), view="PA")
        write_image(root / "originals" / f"{number}.dcm", np.clip(pixels, 0, 4095).astype(np.uint16), instance)
    names = np.array([f"sample-{number:06d}" for number in range(samples)])
    thresholds = dict(zip(FINDINGS, (0.40, 0.31, 0.22, 0.35, 0.12), strict=True))
    tables = []
    for finding, threshold in thresholds.items():
        probability = draw.beta(0.8, 1.6, samples)
        tables.append(
            pd.DataFrame(
                {
                    "sample_id": names,
                    "patient_id": [f"{number // 2:016x}" for number in range(samples)],
                    "finding": finding,
                    "target": pd.array(draw.integers(0, 2, samples), dtype="Int64"),
                    "logit": np.log(probability / (1 - probability)),
                    "prob_raw": probability,
                    "prob_cal": probability,
                    "threshold": threshold,
                    "decision": probability >= threshold,
                    "split": "test",
                    "sex": np.where(draw.random(samples) < 0.5, "F", "M"),
                    "age_band": draw.choice(["18–39", "40–59", "60–79"], samples),
                    "view": "PA",
                    "site": draw.choice(["Site A", "Site B"], samples),
                }
            )
        )
    pd.concat(tables).sort_values("sample_id", kind="stable", ignore_index=True).to_parquet(root / "predictions.parquet")
    paths = [str(root / "originals" / f"{number % 16}.dcm") for number in range(samples)]
    pd.DataFrame({"sample_id": names, "path": paths, "modality": "DX"}).to_parquet(root / "manifest.parquet")
    (root / "config.yaml").write_text("data:\n  source: phantom\n")
    maps = tuple(FindingMap(name, "platt", 1.0, 0.0, 60, 97, 0, "Platt", fallback=False) for name in FINDINGS)
    points = [OperatingPoint(name, value, "sensitivity >= 0.90", Split.CALIBRATE, 60, 97) for name, value in thresholds.items()]
    model = {
        "calibrator": Calibrator("multilabel", Split.CALIBRATE, "m" * 64, maps).to_json(),
        "operating_points": operating_points_to_json(points),
    }
    (root / "model" / "model.json").write_text(json.dumps(model))
    facts = {"files": {}, "model_sha256": "m" * 64, "synthetic": True, "weights": {"fallback": False}}
    (root / "provenance.json").write_text(json.dumps(facts))
    return root


# --- server and browser


@contextmanager
def _served(samples: int) -> Iterator[tuple[str, int]]:
    """Address and process of the page, from the moment its server answers; the store of the server before is gone."""
    from medclassify.workflows.review import page_command

    run = _run(samples)
    for kept in run.glob("reviews.sqlite*"):
        kept.unlink()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}
    server = subprocess.Popen(page_command(run, port), env=environment, stdout=subprocess.DEVNULL)
    try:
        for _ in range(1200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", server.pid
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@contextmanager
def _browser() -> Iterator[Browser]:
    program = os.environ.get("MEDCLASSIFY_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise NotMeasurableError("no Chromium: install the chromium package, or set MEDCLASSIFY_TEST_CHROMIUM")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise NotMeasurableError("no Playwright: pip install playwright") from error
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_SWITCHES.split())
        yield browser
        browser.close()


def _reading(browser: Browser, address: str, reader: str) -> Page:
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    _begin(page, address, reader)
    page.evaluate(_WATCH)
    return page


def _begin(page: Page, address: str, reader: str) -> None:
    page.set_default_timeout(120_000)
    page.goto(f"{address}/?reader={reader.replace(' ', '+')}")
    page.get_by_role("button", name="Begin reading").click()
    page.locator(_IMAGE).wait_for()
    page.wait_for_timeout(1500)


def _next(page: Page) -> None:
    before = len(page.evaluate("window.caseTimes"))
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"window.caseTimes.length > {before}")
    page.wait_for_timeout(1500)  # a reader looks, and the next image comes meanwhile


def _count(socket: object, traffic: list[int]) -> None:
    for event in ("framesent", "framereceived"):
        socket.on(event, lambda _: traffic.append(1))  # type: ignore[attr-defined]


def _processor_ms(process: int) -> float:
    """What a process has used of the processor so far; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _busy(note: str) -> str:
    """Says how busy the machine was: processes that wanted to run, for each core."""
    return f"{note}; load {os.getloadavg()[0] / (os.cpu_count() or 1):.1f} a core"
