"""What a run was made from, and whether it is still what it was."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medclassify.errors import RunError
from medclassify.runs.atomic import write_json
from medclassify.runs.layout import RunLayout

# Written after the fit, or of use only while it runs: not part of what was promised.
_UNTRACKED = ("provenance.json", "checkpoints/", "logs/", "reviews.sqlite")


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """How a run differs from its provenance. Paths are relative to the run."""

    unchanged: tuple[str, ...]
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    added: tuple[str, ...]

    @property
    def clean(self) -> bool:
        return not (self.changed or self.missing or self.added)


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex; reads 1 MiB at a time."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_provenance(run: RunLayout, facts: dict[str, Any]) -> None:
    """Writes ``provenance.json``: the given facts and the hash of every tracked file. Its presence marks a finished run."""
    write_json(run.provenance, {**facts, "files": {name: sha256_file(run.root / name) for name in _tracked(run)}})


def read_provenance(run: RunLayout) -> dict[str, Any]:
    """Reads ``provenance.json``.

    Raises:
        RunError: It is not JSON, or holds no file hashes.
    """
    try:
        facts = json.loads(run.provenance.read_text(encoding="utf-8"))
        dict.items(facts["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{run.provenance}: not a provenance record ({error}). The run cannot be verified; fit it again."
        ) from error
    return facts


def verify(run: RunLayout) -> VerifyResult:
    """Computes every hash again and compares."""
    promised: dict[str, str] = read_provenance(run)["files"]
    present = set(_tracked(run))
    same = {name: sha256_file(run.root / name) == promised[name] for name in promised if name in present}
    return VerifyResult(
        unchanged=tuple(sorted(name for name, equal in same.items() if equal)),
        changed=tuple(sorted(name for name, equal in same.items() if not equal)),
        missing=tuple(sorted(set(promised) - present)),
        added=tuple(sorted(present - set(promised))),
    )


def _tracked(run: RunLayout) -> list[str]:
    names = (path.relative_to(run.root).as_posix() for path in sorted(run.root.rglob("*")) if path.is_file())
    return [name for name in names if not name.startswith(_UNTRACKED)]
