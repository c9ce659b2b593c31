"""Reading text tables strictly: nothing is shifted, cut off or turned into a number in silence."""

import csv
import gzip
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from medclassify.errors import ManifestError
from medclassify.manifest.labels import BLANKS


def read_header(path: Path) -> tuple[list[str], str]:
    """Reads the first line of a text table, plain or gzipped.

    Args:
        path: The file.

    Returns:
        The fields of the header line as a CSV reader splits it, without outer blanks, and the delimiter (``,``, ``;`` or tab,
        whichever the line holds most of).

    Raises:
        ManifestError: The file is not there, is empty, or is not UTF-8 text.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            line = file.readline().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise ManifestError(f"{path}: no such label file. Check data.labels (--labels).") from error
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: not a text table in UTF-8 ({error}). Save it as CSV in UTF-8.") from error
    if not line.strip() or "\x00" in line:
        raise ManifestError(f"{path}: no header line. A label file begins with its column names, separated by commas.")
    delimiter = max(",;\t", key=line.count)
    return [field.strip() for field in next(csv.reader([line], delimiter=delimiter))], delimiter


def read_columns(path: Path, positions: Sequence[int], names: Sequence[str], *, delimiter: str, whole: bool) -> pd.DataFrame:
    """Reads chosen columns of a text table.

    Args:
        path: The file; its first line is skipped.
        positions: Which columns, counted from 0.
        names: What to call them.
        delimiter: Between fields.
        whole: ``positions`` are all columns, so a longer line is an error.

    Returns:
        str columns; missing where blank (``BLANKS``). The index is the line in the file. Blank lines are left out.

    Raises:
        ManifestError: A line has more fields than the header, the first row has fewer, or the text is not UTF-8.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            table = pd.read_csv(
                path, sep=delimiter, header=None, skiprows=1, index_col=False, dtype="str", encoding="utf-8-sig",
                keep_default_na=False, na_values=list(BLANKS), skip_blank_lines=False, skipinitialspace=True,
                names=list(names) if whole else None, usecols=None if whole else list(positions),
            )  # fmt: skip
        except pd.errors.EmptyDataError as error:
            raise ManifestError(f"{path}: no rows below the header. A label file has one line an image.") from error
        except (pd.errors.ParserError, pd.errors.ParserWarning, UnicodeDecodeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise ManifestError(
                f"{path}: a line does not fit the header ({reason}). Quote fields that hold {delimiter!r}."
            ) from error
    if not whole:
        if lacking := [position for position in positions if position not in table.columns]:
            raise ManifestError(
                f"{path}: row 2 has fewer fields than the header: field {lacking[0] + 1} is not there. Is the file whole?"
            )
        table = table[list(positions)].set_axis(list(names), axis=1)
    table.index = pd.RangeIndex(2, len(table) + 2, name="line")
    table = table.dropna(how="all")
    if table.empty:
        raise ManifestError(f"{path}: no rows below the header. A label file has one line an image.")
    return table


def read_named(
    path: Path, columns: Mapping[str, str], *, required: Sequence[str], layout: str, filled: Sequence[str] | None = None
) -> pd.DataFrame:
    """Reads those columns of a text table that have a name.

    Args:
        path: The file.
        columns: The published name of a column → what to call it; the file may lack those that are not required.
        required: Published names of columns that must be there.
        layout: What the layout is called, for the message.
        filled: Those of ``required`` that may be blank in no row; all when left out.

    Returns:
        As ``read_columns``, in the order of the file.

    Raises:
        ManifestError: A required column is missing or blank, a name stands twice, or a line does not fit the header.
    """
    header, delimiter = read_header(path)
    lacking = [name for name in required if name not in header]
    if lacking:
        raise ManifestError(f"{path}: not the {layout} layout: no column {lacking[0]!r}, received {', '.join(header)}.")
    positions = [position for position, name in enumerate(header) if name in columns]
    names = [header[position] for position in positions]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ManifestError(f"{path}: column {twice[0]!r} stands twice. Remove one.")
    rows = read_columns(path, positions, [columns[name] for name in names], delimiter=delimiter, whole=False)
    for name in required if filled is None else filled:
        gap = rows[columns[name]].isna()
        if gap.any():
            raise ManifestError(f"{path}: row {rows.index[gap][0]}: {name} is blank. Every row of a {layout} file has it.")
    return rows
