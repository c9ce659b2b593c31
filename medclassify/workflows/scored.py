"""Scores of many files, a piece at a time: what is held is one piece, and a call that broke off goes on from its pieces."""

import hashlib
import json
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

import medclassify
from medclassify.data.pieces import piece_size, read_arrays, write_arrays
from medclassify.data.store import store_key
from medclassify.data.workers import Prepared, prepare_in_workers
from medclassify.errors import RunError
from medclassify.inference import predict_logits
from medclassify.manifest import Manifest
from medclassify.records import Exclusion, LogitTable
from medclassify.workflows.cluster import Cluster
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
    """

    start: int
    stop: int
    path: Path


def pieces_of(manifest: Manifest, scorer: Scorer, folder: Path) -> list[ScoredPiece]:
    """Deals a manifest into pieces.

    Args:
        manifest: What is to be scored.
        scorer: The model.
        folder: Beside the output; pieces of another model, another version or other files lie in other folders of it.
    """
    preprocessing = scorer.bundle.preprocessing
    facts = [_FORMAT, medclassify.__version__, scorer.bundle.fingerprint, scorer.bundle.findings, asdict(preprocessing)]
    samples = zip(manifest.frame["sample_id"], manifest.frame["path"], strict=True)
    name = hashlib.sha256(f"{json.dumps(facts)}{store_key(samples, preprocessing)}".encode()).hexdigest()[:32]
    size, count = piece_size(len(manifest), preprocessing), len(manifest)
    return [
        ScoredPiece(start, min(start + size, count), folder / name / f"{number:08d}.npz")
        for number, start in enumerate(range(0, count, size))
    ]


def score_here(pieces: Sequence[ScoredPiece], manifest: Manifest, scorer: Scorer, progress: Progress) -> None:
    """Makes the pieces that are not there yet; files go on being decoded while a piece is scored."""
    todo, done = [piece for piece in pieces if not piece.path.exists()], 0
    total = sum(piece.stop - piece.start for piece in todo)
    paths = [path for piece in todo for path in _column(manifest, "path", piece)]

    def counted(results: Iterable[Prepared]) -> Iterator[Prepared]:
        nonlocal done
        for result in results:
            done += 1
            progress(done, total)
            yield result

    with closing(prepare_in_workers(paths, scorer.bundle.preprocessing)) as results:
        for piece in todo:
            piece.path.parent.mkdir(parents=True, exist_ok=True)
            count = piece.stop - piece.start
            score_piece(piece.path, scorer, _column(manifest, "sample_id", piece), counted(islice(results, count)))


def score_on(
    cluster: Cluster, model: Path, pieces: Sequence[ScoredPiece], manifest: Manifest, scorer: Scorer, progress: Progress
) -> None:
    """Has the pieces that are not there yet made by the workers; each loads the model once, from the run."""
    todo = [(number, piece) for number, piece in enumerate(pieces) if not piece.path.exists()]
    facts = {"model": str(model.absolute()), "fingerprint": scorer.bundle.fingerprint}
    parts = [
        (number, _column(manifest, "path", piece), {**facts, "samples": _column(manifest, "sample_id", piece)})
        for number, piece in todo
    ]
    done, total = 0, sum(piece.stop - piece.start for _, piece in todo)
    if not todo:
        return
    with closing(cluster.answers("score", pieces[0].path.parent, parts)) as answers:
        for _, (_, piece) in zip(answers, todo, strict=True):
            done += piece.stop - piece.start
            progress(done, total)


def score_piece(target: Path, scorer: Scorer, samples: Sequence[str], results: Iterable[Prepared]) -> None:
    """Scores some files and keeps the logits, and why some have none."""
    images, scored, exclusions = [], [], []
    for result, _ in zip(results, samples, strict=True):
        scored.append(not isinstance(result, Exclusion))
        if isinstance(result, Exclusion):
            exclusions.append(asdict(result))
        else:
            images.append(result.pixels)
    ids = [sample for sample, kept in zip(samples, scored, strict=True) if kept]
    bundle = scorer.bundle
    logits = predict_logits(
        bundle.network,
        np.stack(images) if images else np.zeros((0, 1, 1, 1), np.uint8),
        np.arange(len(images)),
        sample_ids=ids,
        findings=bundle.findings,
        preprocessing=bundle.preprocessing,
        fingerprint=bundle.fingerprint,
    )
    facts = {"samples": list(samples), "exclusions": exclusions}
    write_arrays(target, facts, {"scored": np.array(scored, np.bool_), "logits": logits.logits})


def read_scores(
    pieces: Sequence[ScoredPiece], manifest: Manifest, scorer: Scorer
) -> Generator[tuple[pd.DataFrame, LogitTable, list[Exclusion]], None, None]:
    """What each piece holds, in order.

    Yields:
        The rows of the manifest that were scored, their logits, and why the others were not.

    Raises:
        RunError: A piece does not hold each of its samples exactly once.
    """
    for piece in pieces:
        facts, arrays = read_arrays(piece.path)
        scored, rows = arrays["scored"], manifest.frame.iloc[piece.start : piece.stop]
        exclusions = [Exclusion(**exclusion) for exclusion in facts["exclusions"]]
        if facts["samples"] != rows["sample_id"].tolist() or len(exclusions) + len(arrays["logits"]) != len(rows):
            raise RunError(f"{piece.path}: does not hold each of its samples once. Remove its folder, and start again.")
        rows = rows[scored].reset_index(drop=True)
        logits = LogitTable(
            tuple(rows["sample_id"]), tuple(scorer.bundle.findings), arrays["logits"], scorer.bundle.fingerprint
        )
        yield rows, logits, exclusions


def _column(manifest: Manifest, name: str, piece: ScoredPiece) -> list[str]:
    return manifest.frame[name].iloc[piece.start : piece.stop].tolist()
