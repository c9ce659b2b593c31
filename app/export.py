"""The export page: readings, labels that `index` reads, and whether the log is whole."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from app.text import plain
from medclassify.errors import MedclassifyError
from medclassify.manifest import read_manifest
from medclassify.records import Identity
from medclassify.review import Desk, answers, review_labels, write_labels, write_readings


def show_export(desk: Desk, who: Identity) -> None:
    """Offers the files, and says what stands in them."""
    table = answers(desk, who)
    st.subheader("Readings", anchor=False)
    st.markdown(f"**{len(table):,}** answers of **{table['reader'].nunique()}** readers, from the locked first read on.")
    csv, parquet, _ = st.columns([1, 1, 2])
    with csv:
        _offer("Readings as CSV", "readings.csv", lambda path: write_readings(table, path))
    with parquet:
        _offer("Readings as Parquet", "readings.parquet", lambda path: write_readings(table, path))
    st.subheader("Labels", anchor=False)
    try:
        labels, counts = review_labels(read_manifest(desk.run.layout.manifest), table)
    except MedclassifyError as error:
        st.error(plain(str(error)))
    else:
        st.markdown(
            f"**{counts.samples:,}** samples read: **{counts.settled:,}** labels settled, **{counts.changed:,}** of them other "
            f"than the label before; **{counts.disputed:,}** disputed and written as uncertain (−1); **{counts.unknown:,}** "
            "findings that the run does not know have no column. `medclassify index --labels` reads the file, and the next fit "
            "learns from it."
        )
        with st.columns([1, 3])[0]:
            _offer("Labels as CSV", "labels.csv", lambda path: write_labels(labels, path))
    st.subheader("The log", anchor=False)
    check = desk.store.verify()
    if not check.broken:
        st.success(f"{check.count:,} events, chain intact, head {check.head[:16]}….")
    else:
        st.error(plain(check.broken))


def _offer(label: str, name: str, write: Callable[[Path], None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        try:
            write(path)
        except MedclassifyError as error:
            st.error(plain(str(error)))
            return
        st.download_button(label, path.read_bytes(), file_name=name, width="stretch")
