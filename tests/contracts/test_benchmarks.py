"""The benchmarks time what they say, write the form that scripts rely on, and every result that is kept has it."""

import json
import math
import re
import sys
from pathlib import Path

import pytest

from benchmarks import registry, results, side_by_side
from benchmarks.__main__ import main
from benchmarks.harness import Measure, NotMeasurableError, interleave, speed_ratio, worst

RESULTS = sorted((Path(__file__).resolve().parents[2] / "benchmarks" / "results").glob("*.json"))


def measure(key: str = "key", value: float = 2.0, goal: float | None = 1.0, better: str = "higher") -> Measure:
    return Measure(key, value, goal, better, "note", value, value)  # pyright: ignore[reportArgumentType]


def test_a_ratio_above_one_is_faster(monkeypatch: pytest.MonkeyPatch):
    clock = [0.0]  # its own time: a busy machine must not decide a test
    monkeypatch.setattr("benchmarks.harness.time.perf_counter", lambda: clock[0])

    def take(seconds: float) -> None:
        clock[0] += seconds

    found = speed_ratio(
        "key", lambda: take(0.002), lambda: take(0.02), names=("short", "long"), goal=1.0, rounds=3, note="drawn"
    )
    assert found.value == pytest.approx(10)
    assert found.low == pytest.approx(10) and found.high == pytest.approx(10)
    assert found.reached


def test_sides_run_turn_by_turn_and_back_again():
    calls = []
    interleave({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=2, least_seconds=0)
    assert "".join(calls) == "aabb" + "ab" + "ba"


def test_the_worst_of_several_is_the_one_reported():
    found = worst("key", [measure("fast", 3.0), measure("slow", 0.5)])
    assert (found.key, found.value, found.reached) == ("key", 0.5, False)
    assert "fast 3.00" in found.note
    with pytest.raises(NotMeasurableError, match="no input"):
        worst("key", [])


@pytest.mark.parametrize(("better", "value", "reached"), [("higher", 0.9, False), ("lower", 0.9, True), ("lower", 1.1, False)])
def test_a_goal_has_a_direction(better: str, value: float, reached: bool):
    assert measure(value=value, better=better).reached is reached


def test_what_cannot_be_measured_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def missing() -> Measure:
        raise NotMeasurableError("no such library")

    class Fake:
        """Measures one thing and not another."""

        CORES = None
        __doc__ = "Two things."

        @staticmethod
        def keys(_quick: bool):
            return {"there": lambda: measure("there"), "missing": missing}

    monkeypatch.setitem(sys.modules, "benchmarks.suite.fake", Fake)  # pyright: ignore[reportArgumentType]
    monkeypatch.setattr(registry, "names", lambda: ["fake"])
    assert main(["fake", "--results", str(tmp_path)]) == 0
    assert [line["key"] for line in json.loads((tmp_path / "fake.json").read_text())["measures"]] == ["there"]
    assert "missing: not measured: no such library" in capsys.readouterr().out


@pytest.mark.parametrize("name", registry.names())
def test_every_benchmark_is_described(name: str, repository: Path):
    described = (repository / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert f"| `{name}` |" in described
    assert registry.title(name).endswith(".")
    for key in registry.load(name).keys(True):
        assert f"`{key}`" in described, key


@pytest.mark.parametrize("path", RESULTS, ids=[path.stem for path in RESULTS])
def test_every_kept_result_has_the_form(path: Path):
    record = json.loads(path.read_text(encoding="utf-8"))
    assert list(record) == ["name", "machine", "versions", "commit", "measures"]
    assert record["name"] == path.stem
    assert re.fullmatch(r"[0-9a-f]{40}( \+ changes)?", record["commit"])
    for line in record["measures"]:
        assert list(line) == ["key", "value", "goal", "better", "note"]
        assert line["better"] in ("higher", "lower")
        assert math.isfinite(line["value"])


def test_the_table_says_which_goal_is_missed():
    lines = results.table([measure("reached"), measure("missed", 0.5), measure("free", goal=None)]).splitlines()
    assert [line.split()[0] for line in lines] == ["key", "reached", "missed", "free"]
    assert [line.split()[-1] for line in lines[1:]] == ["yes", "NO", "–"]


def test_side_by_side_names_keys_that_exist():
    for line in side_by_side.COMPARISONS:
        assert line.key in registry.load(line.benchmark).keys(True), line
    peers = {line.peer.name for line in side_by_side.COMPARISONS if line.peer}
    assert {"MONAI", "timm", "torchxrayvision", "pytorch-grad-cam", "captum", "scikit-learn", "fairlearn"} <= peers
    steps = list(dict.fromkeys(line.step for line in side_by_side.COMPARISONS))
    assert steps == ["loading", "preparing", "training", "statistics", "explaining", "reviewing"]


def kept(folder: Path, name: str, *measures: Measure) -> None:
    results.write(results.as_record(name, measures, {}, {}, "c" * 40), folder)


def test_side_by_side_reads_what_was_measured_and_says_what_is_lacking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(side_by_side, "find_spec", lambda module: None if module == "fairlearn" else object())
    kept(tmp_path, "read", measure("augment_vs_monai", 8.0, 5.0), measure("reads_per_s", 1e5, 5e4))
    kept(tmp_path, "explain", measure("agrees_with_captum", 1e-9, 1e-5, "lower"))
    assert main(["side-by-side", "--stored", "--results", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    [line] = [line for line in said.splitlines() if "augment_vs_monai" in line]
    assert line.split() == [
        "preparing",
        *["batches", "augmented", "MONAI", "8", "≥", "5", "yes", "read.augment_vs_monai", "at", "ccccccc"],
    ]
    assert "not measured: pip install fairlearn" in said and "pip install monai" not in said and "reads_per_s" not in said
    record = json.loads((tmp_path / "side_by_side.json").read_text())
    assert [one["key"] for one in record["measures"]] == ["read.augment_vs_monai", "explain.agrees_with_captum"]
    assert record["measures"][0]["note"] == f"preparing: batches augmented; peer MONAI; at {'c' * 40}"
    kept(tmp_path, "read", measure("augment_vs_monai", 4.0, 5.0))
    assert main(["side-by-side", "--stored", "--results", str(tmp_path)]) == 1


def test_side_by_side_writes_nothing_where_nothing_was_measured(tmp_path: Path):
    assert main(["side-by-side", "--stored", "--results", str(tmp_path)]) == 1
    assert list(tmp_path.iterdir()) == []


def test_side_by_side_measures_each_benchmark_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    calls = []
    monkeypatch.setattr("benchmarks.side_by_side.subprocess.run", lambda command, check: calls.append(command[3:]))
    side_by_side.measure(False, tmp_path)
    names = [words[0] for words in calls]
    assert len(names) == len(set(names)) and set(names) == {line.benchmark for line in side_by_side.COMPARISONS}
    assert [words[0] for words in calls if "--quick" in words] == ["recipes"]  # days of training are not started by the way
