"""Looks into a bounded sample of a manifest's files: sizes and bits of headers, and grey as ``fit`` will see it."""

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing

import numpy as np

from medclassify.data.workers import prepare_in_workers
from medclassify.dicom import read_header
from medclassify.errors import DicomError, ManifestError
from medclassify.manifest import Manifest
from medclassify.planning import ImageFacts
from medclassify.records import Exclusion, InstanceHeader, Preprocessing
from medclassify.workflows.console import progress

HEADERS, HEADER_SECONDS = 1000, 10.0
IMAGES, IMAGE_SECONDS = 32, 15.0
_LOOK = Preprocessing(224, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "bicubic", "voi")


def look_at_images(manifest: Manifest, *, seed: int) -> ImageFacts:
    """Reads up to 1,000 headers in at most ten seconds, and decodes up to 32 images in at most fifteen.

    Args:
        manifest: Whose files.
        seed: Of the sample.

    Raises:
        ManifestError: None of the sample can be read.
    """
    order = np.random.default_rng(seed).permutation(len(manifest))
    paths = manifest.frame["path"].to_numpy()[order]
    with progress("looking at headers") as move:
        headers, failed = _headers(paths[:HEADERS], move)
    with progress("decoding a sample") as move:
        decoded, seconds, undecoded = _decoded(paths[:IMAGES], move)
    failed += undecoded
    if not headers or not decoded:
        first = next(iter(failed), "no reason")
        raise ManifestError(
            f"{manifest.source}: none of {min(len(paths), IMAGES)} images tried can be read ({first}). Check the files."
        )
    rows, columns = (np.array([getattr(header, name) for header in headers]) for name in ("rows", "columns"))
    grey = np.array([image.pixels[_inside(image.geometry)].mean() / 255 for image in decoded])
    spread = np.array([image.pixels[_inside(image.geometry)].std() / 255 for image in decoded])
    return ImageFacts(
        read=len(headers),
        rows=_three(rows, (0, 50, 100)),
        columns=_three(columns, (0, 50, 100)),
        shorter_side=_three(np.minimum(rows, columns), (5, 50, 95)),
        bits=dict(sorted(Counter(header.bits_stored for header in headers).items())),
        decoded=len(decoded),
        failed=dict(failed),
        windowed=sum(any(step.startswith(("window", "VOI")) for step in image.applied) for image in decoded),
        grey=(float(grey.mean()), float(spread.mean())),
        warned=sum(bool(image.warnings) for image in decoded),
        seconds=seconds,
    )


def _headers(paths: Sequence[str], move) -> tuple[list[InstanceHeader], Counter[str]]:
    started, headers, failed = time.monotonic(), [], Counter[str]()
    for done, path in enumerate(paths, start=1):
        try:
            headers.append(read_header(path))
        except DicomError as error:
            failed[error.reason] += 1
        except OSError:
            failed["not there, or not readable"] += 1
        move(done, len(paths))
        if time.monotonic() - started > HEADER_SECONDS:
            break
    return headers, failed


def _decoded(paths: Sequence[str], move) -> tuple[list, float, Counter[str]]:
    """Decoded images, wall seconds an image without the start of the processes, and what could not be decoded."""
    started, first, images, failed = time.monotonic(), None, [], Counter[str]()
    done = 0
    with closing(prepare_in_workers([str(path) for path in paths], _LOOK)) as results:
        for done, result in enumerate(results, start=1):
            first = first or time.monotonic()
            if isinstance(result, Exclusion):
                failed[result.reason] += 1
            else:
                images.append(result)
            move(done, len(paths))
            if time.monotonic() - started > IMAGE_SECONDS:
                break
    elapsed = time.monotonic() - (first or started)
    return images, elapsed / max(done - 1, 1), failed


def _inside(geometry) -> tuple[slice, slice, slice]:
    """The picture without its padding."""
    top, left = geometry.top, geometry.left
    return slice(None), slice(top, top + geometry.height), slice(left, left + geometry.width)


def _three(values: np.ndarray, percentiles: tuple[int, int, int]) -> tuple[int, int, int]:
    low, middle, high = np.percentile(values, percentiles)
    return int(low), int(middle), int(high)
