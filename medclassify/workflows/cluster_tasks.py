"""What a Dask worker does with one piece of work. What it makes it writes to the shared folder; it answers with words only.

No exception leaves a task: Dask would log its arguments, and a path may name a patient.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa

import medclassify
from medclassify import errors
from medclassify.data.marks import Marks, fatal_exclusion, prepare_marked
from medclassify.data.pieces import write_piece
from medclassify.dicom.bulk import HeaderBatch, read_batch
from medclassify.errors import MedclassifyError, RunError, StorageError
from medclassify.manifest import HEADER_FIELDS, PatientHasher, header_table
from medclassify.records import Preprocessing
from medclassify.runs import storage_error
from medclassify.runs.serving import place_of

SHARED = "shared"
_loading = Lock()


@dataclass(frozen=True, slots=True)
class Order:
    """One piece of work.

    Attributes:
        kind: A name in ``TASKS``.
        number: Which piece it is.
        paths: Its files.
        folder: On every machine the same folder; it holds ``shared`` with ``token`` in it.
        token: Proves that the worker sees the driver's folder.
        version: The driver's version of medclassify.
        facts: What this kind of work needs besides.
    """

    kind: str
    number: int
    paths: tuple[str, ...]
    folder: Path
    token: str
    version: str
    facts: dict[str, Any]

    @property
    def piece(self) -> Path:
        return self.folder / f"{self.number:08d}.npz"

    @property
    def marks(self) -> Path:
        return self.folder / f"{self.kind}-{self.number:08d}.marks"


def work(order: Order) -> dict[str, Any]:
    """Does one piece of work; runs on a worker.

    Returns:
        The task's answer, or ``error`` (a class of ``medclassify.errors``) and ``message``.
    """
    try:
        _require_same(order)
        marks = Marks(order.marks)
        answer = TASKS[order.kind](order, marks)
        marks.clear()
        return answer
    except MedclassifyError as error:
        return {"error": type(error).__name__, "message": str(error)}
    except OSError as error:
        return {"error": "StorageError", "message": f"{_here()}: {storage_error(error, order.folder)}"}
    except Exception as error:  # its message may quote a header
        what = f"{order.kind} failed ({type(error).__name__} at {place_of(error)})"
        return {"error": "RunError", "message": f"{_here()}: {what}. Please report it."}


def raise_error(answer: dict[str, Any]) -> None:
    """Raises what a worker told.

    Raises:
        MedclassifyError: The worker's.
    """
    if "error" in answer:
        raise getattr(errors, answer["error"], RunError)(answer["message"])


def _require_same(order: Order) -> None:
    if medclassify.__version__ != order.version:
        raise RunError(
            f"{_here()} has medclassify {medclassify.__version__}, this machine {order.version}. Install the same on all."
        )
    try:
        same = (order.folder / SHARED).read_text(encoding="ascii") == order.token
    except OSError:
        same = False
    if not same:
        raise StorageError(
            f"{_here()} does not see {order.folder} as this machine does. Put it on a file system that all workers share, "
            f"under the same path."
        )


def _prepare(order: Order, marks: Marks) -> dict[str, Any]:
    if not order.piece.exists():  # Dask may give a task again whose worker it lost sight of
        write_piece(order.piece, prepare_marked(order.paths, Preprocessing(**order.facts["preprocessing"]), marks))
    return {}


def _headers(order: Order, marks: Marks) -> dict[str, Any]:
    hasher = _hasher(order.facts["key_file"], order.facts["fingerprint"])
    if not marks.careful:
        batch = read_batch(order.paths, HEADER_FIELDS)
    else:
        batch = HeaderBatch({name: [] for name in HEADER_FIELDS}, [], [])
        for number, path in enumerate(order.paths):
            if marks.fatal(number):
                batch.failed.append((path, "DicomError", fatal_exclusion(path).detail))
                continue
            marks.at(number)
            one = read_batch([path], HEADER_FIELDS)
            for name, values in one.headers.items():
                batch.headers[name].extend(values)
            batch.failed.extend(one.failed)
            batch.others.extend(one.others)
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pandas(header_table(batch.headers, hasher), preserve_index=False)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return {"table": sink.getvalue().to_pybytes(), "failed": batch.failed, "others": batch.others}


def _hasher(key_file: str, fingerprint: str) -> PatientHasher:
    """The driver's key, which no task carries: a worker must be able to read it, and must not make one of its own."""
    hasher = PatientHasher(key_file) if Path(key_file).is_file() else None
    if hasher is None or hasher.fingerprint != fingerprint:
        raise RunError(
            f"{_here()} has {'another' if hasher else 'no'} patient key at {key_file}. Put the key where all workers can read "
            f"it, and name it with MEDCLASSIFY_KEY_FILE where you start this."
        )
    return hasher


def _score(order: Order, marks: Marks) -> dict[str, Any]:
    from medclassify.workflows.score_pieces import score_piece

    if not order.piece.exists():
        scorer = _scorer(order.facts["model"], order.facts["fingerprint"])
        facts, results = order.facts, prepare_marked(order.paths, scorer.bundle.preprocessing, marks)
        score_piece(order.piece, scorer, facts["samples"], facts["images"], facts["slices"], results)
    return {}


def _scorer(model: str, fingerprint: str):
    with _loading:  # one model a worker, whatever the number of its threads
        scorer = _load(model, fingerprint)
    if scorer.bundle.fingerprint != fingerprint:
        raise RunError(f"{_here()} finds another model in {model}. Put the run where all workers see the same.")
    return scorer


@cache
def _load(model: str, fingerprint: str):
    from medclassify.workflows.scoring import Scorer

    return Scorer.of_run(Path(model))


def _here() -> str:
    return f"Dask worker on {socket.gethostname()}"


TASKS: dict[str, Callable[[Order, Marks], dict[str, Any]]] = {"prepare": _prepare, "headers": _headers, "score": _score}
