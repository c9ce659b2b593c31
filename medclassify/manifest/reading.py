"""Reading a label file, whatever its layout."""

from collections.abc import Sequence
from pathlib import Path

from medclassify.errors import ManifestError
from medclassify.manifest.delimited import read_header
from medclassify.manifest.formats import LAYOUTS, PUBLISHED, LabelLayout, generic
from medclassify.manifest.labels import LabelTable
from medclassify.manifest.published import with_published_split

_KNOWN = ", ".join(layout.NAME for layout in LAYOUTS)


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
    layout = _recognised(path, header) if format == "auto" else _named(path, format)
    return with_published_split(layout.read(path)).select(findings)


def _named(path: Path, name: str) -> LabelLayout:
    found = next((layout for layout in LAYOUTS if name == layout.NAME), None)
    if found is None:
        raise ManifestError(f"{path}: label format {name!r} is not known; known are {_KNOWN}.")
    return found


def _recognised(path: Path, header: Sequence[str]) -> LabelLayout:
    fitting = [layout for layout in PUBLISHED if layout.recognises(header)]
    if len(fitting) > 1:
        names = " and ".join(layout.NAME for layout in fitting)
        raise ManifestError(
            f"{path}: its columns ({', '.join(header)}) fit {names}. Say which with --format (data.format); known are {_KNOWN}."
        )
    if fitting or generic.recognises(header):
        return fitting[0] if fitting else generic
    raise ManifestError(
        f"{path}: no label format fits its columns ({', '.join(header)}). A generic file needs one of path, image_id, "
        f"sop_uid, study_uid and one column a finding; known formats are {_KNOWN}."
    )
