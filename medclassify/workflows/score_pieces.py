"""Scores of many files, a piece at a time: what is held is one piece, and a call that broke off goes on from its pieces."""

import hashlib
import json
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import medclassify
from medclassify.data.pieces import piece_size, read_arrays, write_arrays
from medclassify.data.stacks import in_stacks
from medclassify.data.store import PreparedStore, store_key
from medclassify.data.workers import Prepared, prepare_in_workers
from medclassify.errors import RunError
from medclassify.manifest import SLICE_COLUMNS, Manifest, is_of_series, own_slices
from medclassify.records import Exclusion, LogitTable
from medclassify.workflows.scoring import Scorer

_FORMAT = 1
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ScoredPiece:
    """Scores of the samples ``start`` to ``stop`` of a manifest.

    Attributes:
        start: The first.
        stop: The one after the last.
        path: Where it is kept.
        samples: Their ids.
        images: (id, path) of each image that they are made of; the samples themselves, or slices.
        slices: The stacks that these slices lie in, a dict a slice (``manifest.SLICE_COLUMNS``); none for single images.
    """

    start: int
    stop: int
    path: Path
    samples: tuple[str, ...]
    images: tuple[tuple[str, str], ...]
    slices: tuple[dict[str, Any], ...] = ()

    @property
    def paths(self) -> list[str]:
        """The files, in order."""
        return [path for _, path in self.images]


def pieces_of(manifest: Manifest, scorer: Scorer, folder: Path) -> list[ScoredPiece]:
    """Deals a manifest into pieces; those of series hold one each, however long it is.

    Args:
        manifest: What is to be scored.
        scorer: The model.
        folder: Beside the output; pieces of another model, another version or other files lie in other folders of it.
    """
    preprocessing = scorer.bundle.preprocessing
    facts = [_FORMAT, medclassify.__version__, scorer.bundle.fingerprint, scorer.bundle.findings, asdict(preprocessing)]
    samples, paths = manifest.frame["sample_id"].tolist(), manifest.frame["path"].tolist()
    slices = None if manifest.slices is None else own_slices(manifest)
    images = list(zip(samples, paths, strict=True) if slices is None else zip(slices["slice_id"], slices["path"], strict=True))
    name = hashlib.sha256(f"{json.dumps(facts)}{store_key(images, preprocessing)}".encode()).hexdigest()[:32]
    size = 1 if is_of_series(manifest) else piece_size(len(manifest), preprocessing)
    stacks = {} if slices is None else {str(stack): part for stack, part in slices.groupby("stack", sort=False)}
    of_slice = {} if slices is None else dict(zip(slices["slice_id"], slices["stack"], strict=True))
    pieces = []
    for number, start in enumerate(range(0, len(samples), size)):
        chosen = samples[start : start + size]
        own = [stacks[stack] for stack in dict.fromkeys(of_slice.get(sample, sample) for sample in chosen)] if stacks else []
        rows = [row for part in own for row in part[list(SLICE_COLUMNS)].to_dict("records")]
        files = [(row["slice_id"], row["path"]) for row in rows] if stacks else images[start : start + size]
        kept = folder / name / f"{number:08d}.npz"
        pieces.append(ScoredPiece(start, start + len(chosen), kept, tuple(chosen), tuple(files), tuple(rows)))
    return pieces


def score_here(pieces: Sequence[ScoredPiece], scorer: Scorer, progress: Progress) -> None:
    """Makes the pieces that are not there yet; files go on being decoded while a piece is scored."""
    todo, done = [piece for piece in pieces if not piece.path.exists()], 0
    total = sum(len(piece.images) for piece in todo)
    paths = [path for piece in todo for path in piece.paths]

    def counted(results: Iterable[Prepared]) -> Iterator[Prepared]:
        nonlocal done
        for result in results:
            done += 1
            progress(done, total)
            yield result

    with closing(prepare_in_workers(paths, scorer.bundle.preprocessing)) as results:
        for piece in todo:
            piece.path.parent.mkdir(parents=True, exist_ok=True)
            ids = [name for name, _ in piece.images]
            score_piece(piece.path, scorer, piece.samples, ids, piece.slices, counted(islice(results, len(ids))))


def score_piece(
    target: Path,
    scorer: Scorer,
    samples: Sequence[str],
    images: Sequence[str],
    slices: Sequence[dict[str, Any]],
    results: Iterable[Prepared],
) -> None:
    """Scores some files and keeps the logits, and why some have none.

    Args:
        target: The piece's file.
        scorer: The model.
        samples: Ids of what is scored.
        images: Ids of the images, one a result.
        slices: The stacks that these lie in; none where samples are single images.
        results: What was made of each file.
    """
    pixels, kept, exclusions = [], [], []
    for result, name in zip(results, images, strict=True):
        if isinstance(result, Exclusion):
            exclusions.append(asdict(result))
        else:
            pixels.append(result.pixels)
            kept.append(name)
    held = np.stack(pixels) if pixels else np.zeros((0, 1, 1, 1), np.uint8)
    store = PreparedStore(held, pd.DataFrame({"sample_id": pd.Series(kept, dtype="str")}))
    if slices and kept:
        neighbours, series = scorer.bundle.preprocessing.neighbours, scorer.bundle.attention is not None
        store = in_stacks(store, pd.DataFrame(list(slices)), neighbours=neighbours, series=series)
    there = set(store.sample_ids)
    scored = [sample in there for sample in samples]
    ids = [sample for sample in samples if sample in there]
    logits = scorer.logits(store, ids, None)
    facts = {"samples": list(samples), "exclusions": exclusions}
    write_arrays(target, facts, {"scored": np.array(scored, np.bool_), "logits": logits.logits})


def read_scores(
    pieces: Sequence[ScoredPiece], manifest: Manifest, scorer: Scorer
) -> Generator[tuple[pd.DataFrame, LogitTable, list[Exclusion]], None, None]:
    """What each piece holds, in order.

    Yields:
        The rows of the manifest that were scored, their logits, and which files could not be read.

    Raises:
        RunError: A piece does not hold each of its samples exactly once.
    """
    for piece in pieces:
        facts, arrays = read_arrays(piece.path)
        scored, rows = arrays["scored"], manifest.frame.iloc[piece.start : piece.stop]
        exclusions = [Exclusion(**exclusion) for exclusion in facts["exclusions"]]
        without = int((~scored).sum())
        told = len(exclusions) >= without if piece.slices else len(exclusions) == without
        if facts["samples"] != rows["sample_id"].tolist() or scored.sum() != len(arrays["logits"]) or not told:
            raise RunError(f"{piece.path}: does not hold each of its samples once. Remove its folder, and start again.")
        rows = rows[scored].reset_index(drop=True)
        logits = LogitTable(
            tuple(rows["sample_id"]), tuple(scorer.bundle.findings), arrays["logits"], scorer.bundle.fingerprint
        )
        yield rows, logits, exclusions
