"""Reading headers, decoding images and scoring them on a Dask cluster, in the place of doing it here."""

import uuid
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pyarrow as pa

from medclassify.data.pieces import piece_size, read_piece
from medclassify.data.workers import Prepared
from medclassify.manifest import PatientHasher
from medclassify.records import Exclusion, Preprocessing
from medclassify.workflows.cluster import Cluster
from medclassify.workflows.headers import unread
from medclassify.workflows.score_pieces import Progress, ScoredPiece
from medclassify.workflows.scoring import Scorer

_HEADERS = 500  # files of a task


def decode_on(cluster: Cluster, paths: Sequence[str], preprocessing: Preprocessing, pieces: Path) -> Generator[Prepared]:
    """Decodes files as ``prepare_in_workers`` does, on the workers.

    Args:
        cluster: Where.
        paths: On all machines the same files.
        preprocessing: What the network expects.
        pieces: A folder that all machines share. Pieces that an earlier call left in it are not made again.

    Yields:
        For each path, in order, the prepared image or why there is none.

    Raises:
        MedclassifyError: What a worker told.
    """
    size = piece_size(len(paths), preprocessing)
    facts = {"preprocessing": asdict(preprocessing)}
    parts = [(number, paths[at : at + size], facts) for number, at in enumerate(range(0, len(paths), size))]
    with closing(cluster.answers("prepare", pieces, parts)) as answers:
        for (number, part, _), _ in zip(parts, answers, strict=True):
            yield from _whole(read_piece(pieces / f"{number:08d}.npz"), len(part))


def _whole(results: Iterator[Prepared], count: int) -> Iterator[Prepared]:
    for _, result in zip(range(count), results, strict=True):
        yield result


def read_on(
    cluster: Cluster, folder: Path, paths: Sequence[str], hasher: PatientHasher
) -> Iterator[tuple[pd.DataFrame, list[Exclusion], list[str]]]:
    """Reads headers as ``headers.read_here`` does, on the workers; patient ids are hashed there, with the same key.

    Args:
        cluster: Where.
        folder: A folder that all machines share.
        paths: On all machines the same files.
        hasher: Its key's file must be readable to the workers.

    Raises:
        MedclassifyError: What a worker told.
    """
    facts = {"key_file": str(hasher.key_file.absolute()), "fingerprint": hasher.fingerprint}
    parts = [(number, paths[at : at + _HEADERS], facts) for number, at in enumerate(range(0, len(paths), _HEADERS))]
    with closing(cluster.answers("headers", folder / f"headers-{uuid.uuid4().hex}", parts)) as answers:
        for answer in answers:
            with pa.ipc.open_stream(answer["table"]) as stream:
                table = stream.read_all().to_pandas()
            yield table, [unread(*failure) for failure in answer["failed"]], answer["others"]


def score_on(cluster: Cluster, model: Path, pieces: Sequence[ScoredPiece], scorer: Scorer, progress: Progress) -> None:
    """Has the pieces that are not there yet made, as ``score_pieces.score_here`` does, by workers that load the model once.

    Args:
        cluster: Where.
        model: The run's model, on all machines under this path.
        pieces: In a folder that all machines share.
        scorer: The same model, here.
        progress: Is told how many samples of how many are done.

    Raises:
        MedclassifyError: What a worker told.
    """
    todo = [(number, piece) for number, piece in enumerate(pieces) if not piece.path.exists()]
    facts = {"model": str(model.absolute()), "fingerprint": scorer.bundle.fingerprint}
    parts = []
    for number, piece in todo:
        own = {"samples": list(piece.samples), "images": [name for name, _ in piece.images], "slices": list(piece.slices)}
        parts.append((number, piece.paths, {**facts, **own}))
    done, total = 0, sum(piece.stop - piece.start for _, piece in todo)
    if not todo:
        return
    with closing(cluster.answers("score", pieces[0].path.parent, parts)) as answers:
        for _, (_, piece) in zip(answers, todo, strict=True):
            done += piece.stop - piece.start
            progress(done, total)
