"""Reading headers into a manifest, against a bare loop of pydicom that stops before the pixels."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.harness import Measure, speed_ratio

CORES = 1


def keys(quick: bool) -> Mapping[str, Callable[[], Measure]]:
    """The measures of this benchmark."""
    return {"files_vs_pydicom": lambda: files_vs_pydicom(quick), "bytes_per_row": lambda: bytes_per_row(quick)}


def files_vs_pydicom(quick: bool) -> Measure:
    """Files a second on one core, headers only; the pixel data of every other file is 512 KiB raw, of the rest compressed."""
    import pydicom

    from medclassify.dicom import find_images, read_header

    count = 100 if quick else 400
    with tempfile.TemporaryDirectory() as folder:
        radiographs(Path(folder), count)
        return speed_ratio(
            "files_vs_pydicom",
            lambda: [read_header(path) for path in find_images([folder])],
            lambda: [pydicom.dcmread(path, stop_before_pixels=True) for path in sorted(Path(folder).glob("*.dcm"))],
            names=("find_images + read_header", "pydicom.dcmread(stop_before_pixels=True), no attribute read"),
            goal=1.0,
            rounds=5 if quick else 15,
            note=f"{count} radiographs of 512 × 512, in the page cache",
        )


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
