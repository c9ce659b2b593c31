"""Is a run still what its fit wrote?"""

import json
from pathlib import Path

from medclassify.calibration import require_frozen
from medclassify.errors import RunError
from medclassify.runs import RunLayout, verify
from medclassify.runs.provenance import read_provenance


def verify_run(run_folder: Path) -> int:
    """Compares every file of a run with its provenance, and what decides with the hash frozen before the test was read.

    Returns:
        How many files are unchanged.

    Raises:
        RunError: A file was changed, lost or added; the message names them.
        CalibrationError: Calibrator, thresholds or conformal rules are not those that were frozen.
    """
    run = RunLayout.open(run_folder)
    result = verify(run)
    if result.clean:
        _verify_frozen(run)
        return len(result.unchanged)
    parts = [
        f"{len(names)} {kind} ({', '.join(names[:5])}{', …' if len(names) > 5 else ''})"
        for kind, names in (("changed", result.changed), ("missing", result.missing), ("added", result.added))
        if names
    ]
    raise RunError(f"{run_folder}: not what the run wrote: {'; '.join(parts)}. Restore these files, or fit the run again.")


def _verify_frozen(run: RunLayout) -> None:
    """A file hash only says that a file is as provenance has it; who changes both is found out here."""
    path = run.model / "model.json"
    if not path.is_file():
        return
    frozen = require_frozen(json.loads(path.read_text(encoding="utf-8")), str(path))
    told = read_provenance(run).get("decisions_sha256", frozen)
    if told != frozen:
        raise RunError(
            f"{path}: decisions_sha256 is {frozen[:12] or 'not there'}, and provenance.json says {told[:12]}: thresholds or "
            "calibrator were changed after the test split was read. Restore these files, or fit the run again."
        )
