"""Where the originals of a run stand: a sample's own file, the slices of its series, and other images of its patient."""

from dataclasses import dataclass

import pandas as pd
import pyarrow.parquet as pq
import streamlit as st

from medclassify.errors import MedclassifyError
from medclassify.manifest.stacks import read_slices_beside
from medclassify.review import ReviewRun

_COLUMNS = ("sample_id", "path", "modality", "patient_id", "study_uid", "series_uid", "view", "age")


@dataclass(frozen=True, slots=True)
class Stack:
    """The slices of one series, in order.

    Attributes:
        key: What the browser knows the series by.
        slices: File and frame of each.
        at: Which of them is the sample's own.
        warnings: What a person should know about the stack.
        names: The slices' ids, where the sample is the whole series.
    """

    key: str
    slices: tuple[tuple[str, int | None], ...]
    at: int
    warnings: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@st.cache_resource(max_entries=2, hash_funcs={ReviewRun: id}, show_spinner=False)
def _manifest(run: ReviewRun) -> pd.DataFrame:
    known = pq.read_schema(run.layout.manifest).names
    table = pd.read_parquet(run.layout.manifest, columns=[name for name in _COLUMNS if name in known])
    for name in ("patient_id", "study_uid", "series_uid", "view"):
        table[name] = table[name].fillna("").astype(str) if name in table else ""
    if "age" not in table:
        table["age"] = pd.NA
    return table.drop_duplicates("sample_id").set_index("sample_id")


@st.cache_resource(max_entries=2, hash_funcs={ReviewRun: id}, show_spinner=False)
def _groups(run: ReviewRun, column: str) -> dict[str, list[str]]:
    named = _manifest(run)[column]
    named = named[named != ""]
    return {str(name): list(ids) for name, ids in named.groupby(named).groups.items()}


def priors(run: ReviewRun, sample_id: str) -> pd.DataFrame:
    """Other images of the sample's patient without its own series, by sample: ``view, age, same_study``.

    The manifest holds no dates, so which of them came first is not known; by age where it differs.
    """
    table = _manifest(run)
    own = table.loc[sample_id]
    others = table.loc[[name for name in _groups(run, "patient_id").get(own["patient_id"], []) if name != sample_id]]
    series = others["series_uid"]
    others = others[(series == "") | ((series != own["series_uid"]) & ~series.duplicated())]
    if own["modality"] != "CT":
        others = others[(others["modality"] != "CT").to_numpy()]
    order = pd.to_numeric(others["age"], errors="coerce").sort_values(kind="stable").index
    return others.assign(same_study=(others["study_uid"] == own["study_uid"]) & (own["study_uid"] != "")).loc[order]


@st.cache_resource(max_entries=2, hash_funcs={ReviewRun: id}, show_spinner=False)
def _slices(run: ReviewRun) -> dict[str, pd.DataFrame]:
    """The slices of samples that are whole series, by sample, in their order."""
    slices = read_slices_beside(run.layout.manifest)
    if slices is None:
        return {}
    of_series = slices[slices["stack"].isin(_manifest(run).index)]
    return {str(name): rows for name, rows in of_series.sort_values("position_mm", kind="stable").groupby("stack")}


def stack_of(run: ReviewRun, sample_id: str, slice_id: str = "") -> Stack | None:
    """The series of a sample, in order by where its slices lie; None where the manifest has no other slice of it.

    Args:
        run: The run.
        sample_id: A slice, or a whole series.
        slice_id: Of a whole series, the slice to open it at; its middle one when left out.
    """
    listed = _slices(run).get(sample_id)
    if listed is not None:
        ids = listed["slice_id"].tolist()
        at = ids.index(slice_id) if slice_id in ids else len(ids) // 2
        return Stack(f"series/{sample_id}/", tuple((path, None) for path in listed["path"]), at, names=tuple(ids))
    own = _manifest(run).loc[sample_id]
    members = _groups(run, "series_uid").get(own["series_uid"], [])
    if own["modality"] not in ("CT", "MR", "PT") or len(members) < 2:
        return None
    paths = tuple(_manifest(run).loc[members, "path"].astype(str))
    slices, at, warnings = _assembled(paths, str(own["path"]))
    return Stack(f"series/{members[0]}/", slices, at, warnings) if len(slices) > 1 else None


@st.cache_resource(max_entries=32, show_spinner="Putting the slices in order …")
def _assembled(paths: tuple[str, ...], own: str) -> tuple[tuple[tuple[str, int | None], ...], int, tuple[str, ...]]:
    from medclassify.dicom import assemble_series

    try:
        series, _ = assemble_series(paths)
    except (MedclassifyError, OSError):
        return (), 0, ()
    for one in series:
        files = [(piece.path, piece.frame) for piece in one.slices]
        if own in (places := [path for path, _ in files]):
            return tuple(files), places.index(own), one.warnings
    return (), 0, ()
