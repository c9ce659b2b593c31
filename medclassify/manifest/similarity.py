"""One picture under two names whose pixels are not equal: copied, compressed, resized, windowed, inverted, cropped, padded."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medclassify.manifest.neighbours import Candidates, candidates, halved
from medclassify.manifest.thumbnails import blurred, detail, thumbnails

SAME_IMAGE = 0.97
"""From this similarity on, two images count as one. How it was chosen stands in docs/manifest.md."""

_WORTH_A_CLOSER_LOOK = 0.85
_COARSE_BLURS = (1.5, 1.5, 1.5, 1.5, 0.75, 0.75, 0.75, 0.75)  # pixels of the half-size thumbnail, one a step
_FINE_STEPS = 4
_MOST_ZOOM = 0.2
_MOST_SHIFT = 0.1
_PAIRS_AT_ONCE = 512

Progress = Callable[[int, int], None]


class NearDuplicate(NamedTuple):
    """Two samples, of two patients, that show one picture; ``similarity`` is 1 where nothing tells them apart."""

    first: str
    second: str
    similarity: float


def near_duplicates(
    images: NDArray[np.uint8], sample_ids: Sequence[str], patient_ids: Sequence[str], *, progress: Progress | None = None
) -> tuple[NearDuplicate, ...]:
    """Finds copies of one picture among the images of different patients.

    Each image's nearest neighbours are looked up (``candidates``); every such pair is laid on top of each other, by a zoom and
    a shift for each axis that least squares find (Lucas & Kanade 1981, IJCAI), and then correlated.

    Args:
        images: uint8 (N, 1, S, S), prepared images.
        sample_ids: Their names, in the same order.
        patient_ids: Whose they are; images of one patient are not compared, for all of them stand in one split.
        progress: Called with (pairs done, pairs in all).

    Returns:
        The pairs at or above ``SAME_IMAGE``, most similar first.
    """
    if len(images) < 2:
        return ()
    small = thumbnails(images)
    pairs = candidates(small, np.unique(np.asarray(patient_ids, dtype=np.str_), return_inverse=True)[1].astype(np.int64))
    similarity = np.zeros(len(pairs.first))
    for start in range(0, len(similarity), _PAIRS_AT_ONCE):
        now = slice(start, start + _PAIRS_AT_ONCE)
        part = Candidates(pairs.first[now], pairs.second[now], pairs.inverted[now])
        similarity[now] = _similarity(small, part)
        if progress:
            progress(min(now.stop, len(similarity)), len(similarity))
    found: dict[tuple[int, int], NearDuplicate] = {}
    for row in np.argsort(-similarity, kind="stable")[: int((similarity >= SAME_IMAGE).sum())]:
        pair = int(pairs.first[row]), int(pairs.second[row])
        found.setdefault(pair, NearDuplicate(sample_ids[pair[0]], sample_ids[pair[1]], float(similarity[row])))
    return tuple(found.values())


def _similarity(small: NDArray[np.uint8], pairs: Candidates) -> NDArray[np.float64]:
    """The correlation of each pair after alignment: coarse for all, fine where it is worth it."""
    one, other = small[pairs.first], small[pairs.second]
    other = np.where(pairs.inverted[:, None, None], 255 - other, other)
    fit = np.zeros((len(one), 4), np.float32)
    coarse, fit = _align(detail(halved(one)), detail(halved(other)), fit, _COARSE_BLURS)
    close = np.flatnonzero(coarse >= _WORTH_A_CLOSER_LOOK)
    if not close.size:
        return coarse
    fit = fit[close] * np.array([1, 2, 1, 2], np.float32)
    fine, _ = _align(detail(one[close]), detail(other[close]), fit, (0.0,) * _FINE_STEPS)
    coarse[close] = fine
    return coarse


def _align(
    fixed: NDArray[np.float32], moving: NDArray[np.float32], fit: NDArray[np.float32], blurs: tuple[float, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Gauss–Newton steps towards the zoom and shift that lay ``moving`` on ``fixed``.

    Args:
        fixed: float32 (P, n, n).
        moving: float32 (P, n, n).
        fit: float32 (P, 4): vertical zoom − 1, vertical shift in pixels, the same horizontally.
        blurs: The blur of each step, pixels.

    Returns:
        The correlations, float64 (P,), and the fit.
    """
    side = fixed.shape[-1]
    limit = np.array([_MOST_ZOOM, _MOST_SHIFT * side] * 2, np.float32)
    from_centre = np.arange(side, dtype=np.float32) - (side - 1) / 2
    ridge = np.eye(4, dtype=np.float32)
    for blur in blurs:
        one = blurred(fixed, blur) if blur else fixed
        other, seen = _moved(blurred(moving, blur) if blur else moving, fit)
        one, _ = _standardised(one, seen)
        other, strength = _standardised(other, seen)
        down, across = np.gradient(other, axis=1) * seen, np.gradient(other, axis=2) * seen
        slopes = np.stack([down * from_centre[:, None], down, across * from_centre, across], axis=1).reshape(len(fixed), 4, -1)
        square = slopes @ slopes.transpose(0, 2, 1)
        square += ridge * (1e-3 * np.trace(square, axis1=1, axis2=2) + 1e-9)[:, None, None]
        step = np.linalg.solve(square, slopes @ (one - other).reshape(len(fixed), -1, 1))[..., 0]
        fit = np.clip(fit + np.where(strength[:, None] > 0, step, 0), -limit, limit)
    other, seen = _moved(moving, fit)
    one, _ = _standardised(fixed, seen)
    other, _ = _standardised(other, seen)
    return (one * other).sum(axis=(1, 2), dtype=np.float64), fit


def _moved(moving: NDArray[np.float32], fit: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The images under the fit (bilinear), and 1 where they have pixels, away from the edges of the square."""
    side = moving.shape[-1]
    place = np.arange(side, dtype=np.float32)
    middle = np.float32((side - 1) / 2)
    margin = max(2, side // 12)
    inner = (place >= margin) & (place < side - margin)
    weights, inside = [], []
    for zoom, shift in ((fit[:, :1], fit[:, 1:2]), (fit[:, 2:3], fit[:, 3:])):
        source = (1 + zoom) * (place - middle) + shift + middle
        weights.append(np.maximum(0, 1 - np.abs(source[:, :, None] - place)))
        inside.append((source >= 0) & (source <= side - 1) & inner)
    moved = weights[0] @ moving @ weights[1].transpose(0, 2, 1)
    return moved, (inside[0][:, :, None] & inside[1][:, None, :]).astype(np.float32)


def _standardised(image: NDArray[np.float32], seen: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean 0 and sum of squares 1 over the pixels that are seen, 0 elsewhere; and what it was divided by, (P,)."""
    count = np.maximum(seen.sum(axis=(1, 2), keepdims=True), 1)
    centred = (image - (image * seen).sum(axis=(1, 2), keepdims=True) / count) * seen
    strength = np.sqrt((centred * centred).sum(axis=(1, 2)))
    return centred / np.maximum(strength, 1e-6)[:, None, None], strength
