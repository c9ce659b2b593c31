"""The run directory: its file names, atomic writing, provenance and verification; and what its processes need."""

from medclassify.runs.atomic import atomic_path, storage_error, write_json, write_text
from medclassify.runs.layout import RunLayout
from medclassify.runs.lock import one_works
from medclassify.runs.processes import core_count, started_rank, worker_environment
from medclassify.runs.provenance import VerifyResult, read_provenance, sha256_file, verify, write_provenance

__all__ = [
    "RunLayout",
    "VerifyResult",
    "atomic_path",
    "core_count",
    "one_works",
    "read_provenance",
    "sha256_file",
    "started_rank",
    "storage_error",
    "verify",
    "worker_environment",
    "write_json",
    "write_provenance",
    "write_text",
]
