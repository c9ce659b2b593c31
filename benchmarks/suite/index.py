"""Reading headers into a manifest, against a bare loop of pydicom that stops before the pixels."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.harness import Measure, speed_ratio

CORES = 1


def keys(quick: bool) -> Mapping[str, Callable[[], Measure]]:
    """The measures of this benchmark."""
    return {
        "files_vs_pydicom": lambda: files_vs_pydicom(quick),
        "two_processes_vs_one": lambda: two_processes_vs_one(quick),
        "again_vs_first": lambda: again_vs_first(quick),
        "bytes_per_row": lambda: bytes_per_row(quick),
        "memory_bytes_per_file": lambda: memory_bytes_per_file(quick),
    }


def files_vs_pydicom(quick: bool) -> Measure:
    """Files a second on one core, headers only; the pixel data of every other file is 512 KiB raw, of the rest compressed."""
    import pydicom

    from medclassify.dicom import find_files, read_header_batches
    from medclassify.manifest import HEADER_FIELDS

    count = 100 if quick else 400
    with tempfile.TemporaryDirectory() as folder:
        radiographs(Path(folder), count)
        return speed_ratio(
            "files_vs_pydicom",
            lambda: list(read_header_batches(list(find_files([folder])), HEADER_FIELDS, processes=1)),
            lambda: [pydicom.dcmread(path, stop_before_pixels=True) for path in sorted(Path(folder).glob("*.dcm"))],
            names=("find_files + read_header_batches", "pydicom.dcmread(stop_before_pixels=True), no attribute read"),
            goal=1.0,
            rounds=5 if quick else 15,
            note=f"{count} radiographs of 512 × 512, in the page cache",
        )


def two_processes_vs_one(quick: bool) -> Measure:
    """What a second process is worth on two free cores, from processor time: on a busy machine the clock would not tell."""
    from medclassify.dicom import find_files, read_header_batches
    from medclassify.manifest import HEADER_FIELDS

    with tempfile.TemporaryDirectory() as folder:
        radiographs(Path(folder), 400)
        paths = list(find_files([folder])) * (50 if quick else 250)

        def seconds(count: int) -> float:
            before = _processor_seconds()
            for _ in read_header_batches(paths, HEADER_FIELDS, processes=count):
                pass
            return _processor_seconds() - before

        turns = [(seconds(1), seconds(2)) for _ in range(2 if quick else 4)]
    ratios = [2 * one / two for one, two in turns]
    best = 2 * min(one for one, _ in turns) / min(two for _, two in turns)
    note = (
        f"{len(paths)} files; processor time {min(t[0] for t in turns):.1f} s in one process, {min(t[1] for t in turns):.1f} s"
    )
    note += f" in two and the one that asks them, starts included; least of {len(turns)} interleaved rounds"
    return Measure("two_processes_vs_one", best, 1.5, "higher", note, min(ratios), max(ratios))


def _processor_seconds() -> float:
    """Of this process and of those that it has started and that have ended."""
    import resource

    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def again_vs_first(quick: bool) -> Measure:
    """What an index of a folder that has not changed saves."""
    import contextlib
    import io
    import os

    from medclassify.manifest import PatientHasher
    from medclassify.workflows.headers import read_headers

    before = os.environ.get("MEDCLASSIFY_CACHE")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["MEDCLASSIFY_CACHE"] = str(folder / "cache")
        radiographs(folder / "images", 200 if quick else 2000)
        for path in (folder / "images").iterdir():
            os.utime(path, (1_600_000_000, 1_600_000_000))  # a file written just now is never taken for unchanged
        hasher = PatientHasher(folder / "patient.key")

        def index(fresh: bool) -> None:
            for kept in (folder / "cache").rglob("*.parquet") if fresh else ():
                kept.unlink()
            with contextlib.redirect_stdout(io.StringIO()):
                read_headers([folder / "images"], hasher)

        try:
            return speed_ratio(
                "again_vs_first",
                lambda: index(fresh=False),
                lambda: index(fresh=True),
                names=("nothing new", "everything new"),
                goal=1.0,
                rounds=5,
                note=f"{200 if quick else 2000} radiographs in the page cache, headers to a table",
            )
        finally:
            os.environ.pop("MEDCLASSIFY_CACHE")
            if before is not None:
                os.environ["MEDCLASSIFY_CACHE"] = before


def memory_bytes_per_file(quick: bool) -> Measure:
    """How the largest memory of a process that makes a manifest grows with the number of files: the slope between two sizes."""
    import subprocess
    import sys

    small, large = (20_000, 60_000) if quick else (50_000, 250_000)
    peaks = []
    for count in (small, large):
        program = f"from benchmarks.suite.index import peak_of_manifest; print(peak_of_manifest({count}))"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    slope = (peaks[1] - peaks[0]) / (large - small)
    note = f"peak {peaks[0] >> 20} MiB for {small} headers, {peaks[1] >> 20} MiB for {large}, three images a patient"
    return Measure("memory_bytes_per_file", slope, None, "lower", note, slope, slope)


def peak_of_manifest(count: int) -> int:
    """Makes a manifest of headers that never were files; the largest memory of this process, bytes."""
    import resource

    from medclassify.manifest import PatientHasher, unlabelled_manifest
    from medclassify.records import InstanceHeader

    def header(number: int) -> InstanceHeader:
        patient, root = number // 3, "1.2.840.113619.2.55.3.2831868886"
        return InstanceHeader(
            path=f"/data/archive/2021/{patient:08d}/{number:08d}.dcm", sop_uid=f"{root}.{number:09d}.1",
            study_uid=f"{root}.{patient:09d}.2", series_uid=f"{root}.{number:09d}.3", patient_key=f"P{patient:08d}",
            modality="DX", photometric="MONOCHROME2", rows=2500, columns=2048, frames=1, bits_stored=12,
            transfer_syntax="1.2.840.10008.1.2.4.70", spacing_mm=(0.139, 0.139), spacing_source="ImagerPixelSpacing", view="PA",
            laterality="", site="University Hospital", manufacturer="Maker of X-ray", sex="F", age_years=50.0, burned_in=False,
        )  # fmt: skip

    with tempfile.TemporaryDirectory() as folder:
        unlabelled_manifest(map(header, range(count)), PatientHasher(Path(folder) / "patient.key"), sources=["/data"])
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def bytes_per_row(quick: bool) -> Measure:
    """Size of a manifest on disk."""
    import numpy as np

    from medclassify.dicom import read_header
    from medclassify.manifest import PatientHasher, build_manifest, read_labels, write_manifest

    count = 100 if quick else 400
    findings = [f"finding {number}" for number in range(14)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        radiographs(folder, count)
        drawn = np.random.default_rng(0).integers(0, 2, (count, len(findings)))
        rows = [",".join(map(str, (f"{number}.dcm", *drawn[number]))) for number in range(count)]
        (folder / "labels.csv").write_text("\n".join([",".join(["path", *findings]), *rows]) + "\n", encoding="utf-8")
        headers = [read_header(path) for path in sorted(folder.glob("*.dcm"))]
        manifest, _ = build_manifest(headers, read_labels(folder / "labels.csv"), PatientHasher(folder / "patient.key"))
        write_manifest(manifest, folder / "manifest.parquet")
        size = (folder / "manifest.parquet").stat().st_size / len(manifest.frame)
    return Measure("bytes_per_row", size, None, "lower", f"Parquet, {count} rows, {len(findings)} findings", size, size)


def radiographs(folder: Path, count: int) -> None:
    """Writes ``count`` small radiographs with the header of a real one; several images a patient."""
    import numpy as np

    from medclassify.dicom import NewInstance, write_image

    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 4096, (512, 512)).astype(np.uint16)
    for number in range(count):
        instance = NewInstance(
            transfer_syntax="explicit" if number % 2 else "jpeg-ls",
            patient_id=f"P{number // 3}",
            sex="FM"[number % 2],
            age_years=20 + number % 70,
            view="PA",
            site="Site A",
            manufacturer="Maker",
            window_center=2048,
            window_width=4096,
            spacing_mm=(0.139, 0.139),
            kvp=120,
            exposure_mas=2.5,
        )
        write_image(folder / f"{number}.dcm", pixels, instance)
