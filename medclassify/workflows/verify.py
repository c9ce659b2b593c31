"""Is a run still what its fit wrote?"""

from pathlib import Path

from medclassify.errors import RunError
from medclassify.runs import RunLayout, verify


def verify_run(run_folder: Path) -> int:
    """Compares every file of a run with its provenance.

    Returns:
        How many files are unchanged.

    Raises:
        RunError: A file was changed, lost or added; the message names them.
    """
    result = verify(RunLayout.open(run_folder))
    if result.clean:
        return len(result.unchanged)
    parts = [
        f"{len(names)} {kind} ({', '.join(names[:5])}{', …' if len(names) > 5 else ''})"
        for kind, names in (("changed", result.changed), ("missing", result.missing), ("added", result.added))
        if names
    ]
    raise RunError(f"{run_folder}: not what the run wrote: {'; '.join(parts)}. Restore these files, or fit the run again.")
