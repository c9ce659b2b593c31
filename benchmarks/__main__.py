"""``python -m benchmarks NAME [--quick]``: measure, print, write ``benchmarks/results/NAME.json``."""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import registry, results, side_by_side
from benchmarks.harness import Measure, NotMeasurableError

REPOSITORY = Path(__file__).resolve().parents[1]


def main(arguments: list[str] | None = None) -> int:
    """Runs one benchmark, or each in a process of its own.

    Returns:
        0 when everything that can be measured reached its goal, else 1.
    """
    names = registry.names()
    described = "\n".join(f"  {name:12} {registry.title(name)}" for name in names)
    parser = argparse.ArgumentParser(
        "python -m benchmarks", epilog=described, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    help_of_name = f"one of {', '.join(names)}; all; or side-by-side: those that have a peer, and one table of it"
    parser.add_argument("name", choices=[*names, "all", "side-by-side"], metavar="NAME", help=help_of_name)
    parser.add_argument(
        "--quick", action="store_true", help="fewer rounds and smaller inputs: ends within a minute, and says so in the notes"
    )
    parser.add_argument("--stored", action="store_true", help="side-by-side: measure nothing, take the results that are there")
    parser.add_argument("--results", type=Path, default=results.FOLDER, metavar="DIR", help="where NAME.json is written")
    options = parser.parse_args(arguments)
    if options.stored and options.name != "side-by-side":
        parser.error("--stored goes with side-by-side")
    if options.name == "side-by-side":
        if not options.stored:
            side_by_side.measure(options.quick, options.results)
        return _side_by_side(options.results)
    if options.name == "all":
        flags = ["--results", str(options.results), *(["--quick"] if options.quick else [])]
        codes = [subprocess.run([sys.executable, "-m", "benchmarks", name, *flags], check=False).returncode for name in names]
        return max(codes)
    return _run(options.name, options.quick, options.results)


def _run(name: str, quick: bool, folder: Path) -> int:
    benchmark = registry.load(name)
    _bind(benchmark.CORES)
    from benchmarks.machine import commit, machine, versions  # after binding: they import what they describe

    print(f"{name}: {registry.title(name)}{' (quick)' if quick else ''}", flush=True)
    measures = _measure(benchmark, quick)
    if not measures:
        print("Nothing could be measured, so nothing was written.")
        return 1
    facts, found = machine(), versions()
    print("\n" + results.table(measures) + "\n")
    for measure in measures:
        print(f"{measure.key}: {measure.note}")
    print(f"\nOn {', '.join(f'{key} {value}' for key, value in facts.items())}")
    print(f"With {', '.join(f'{package} {number}' for package, number in found.items())}")
    written = results.write(results.as_record(name, measures, facts, found, commit(REPOSITORY)), folder)
    print(f"Wrote {written}")
    return 0 if all(measure.reached for measure in measures) else 1


def _side_by_side(folder: Path) -> int:
    from benchmarks.machine import commit, machine, versions

    lines = side_by_side.found(folder)
    print("\n" + side_by_side.table(lines) + "\n")
    measured = side_by_side.as_measures(lines)
    if not measured:
        print(f"Nothing of it is in {folder}, so nothing was written.")
        return 1
    record = results.as_record(side_by_side.NAME, [], machine(), versions(), commit(REPOSITORY)) | {"measures": measured}
    print(f"{len(measured)} of {len(lines)} measured. Wrote {results.write(record, folder)}")
    return 0 if all(map(side_by_side.reached, measured)) else 1


def _measure(benchmark: registry.Benchmark, quick: bool) -> list[Measure]:
    measures = []
    try:
        calls = benchmark.keys(quick)
    except NotMeasurableError as reason:
        print(f"  not measured: {reason}")
        return []
    for key, call in calls.items():
        started = time.perf_counter()
        try:
            measures.append(call())
        except NotMeasurableError as reason:
            print(f"  {key}: not measured: {reason}", flush=True)
        else:
            print(f"  {key}: {measures[-1].value:.3g} ({time.perf_counter() - started:.0f} s)", flush=True)
    return measures


def _bind(cores: int | None) -> None:
    """Keeps the process, and the thread pools that libraries size by it, on this many cores."""
    if cores is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-cores:])
        os.environ.update({name: str(cores) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")})


if __name__ == "__main__":
    sys.exit(main())
