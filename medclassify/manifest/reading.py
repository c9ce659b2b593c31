"""Reading a label file, whatever its layout."""

from collections.abc import Sequence
from pathlib import Path

from medclassify.errors import ManifestError
from medclassify.manifest.delimited import read_header
from medclassify.manifest.formats import LAYOUTS
from medclassify.manifest.labels import LabelTable
from medclassify.manifest.published import with_published_split


def read_labels(path: Path | str, format: str = "auto", *, findings: Sequence[str] | None = None) -> LabelTable:  # noqa: A002 (the contract's word)
    """Reads a label file.

    Args:
        path: The file: CSV (or with ``;`` or tabs), plain or gzipped, UTF-8.
        format: ``auto`` recognises the layout by its columns, else the layout's name. The notes say which it was.
        findings: The findings to keep, in order; all that are recognised when left out.

    Returns:
        The label table; its ``notes`` are to be shown.

    Raises:
        ManifestError: The file cannot be read, no layout fits, or a value is not a label.
    """
    path = Path(path)
    header, _ = read_header(path)
    fitting = [layout for layout in LAYOUTS if (layout.recognises(header) if format == "auto" else format == layout.NAME)]
    if not fitting:
        known = ", ".join(layout.NAME for layout in LAYOUTS)
        if format != "auto":
            raise ManifestError(f"{path}: label format {format!r} is not known; known are {known}.")
        raise ManifestError(
            f"{path}: no label format fits its columns ({', '.join(header)}). A generic file needs one of path, image_id, "
            f"sop_uid, study_uid and one column a finding; known formats are {known}."
        )
    return with_published_split(fitting[0].read(path)).select(findings)
