from collections.abc import Callable

import pandas as pd

from medclassify.manifest import PatientHasher, unlabelled_manifest
from medclassify.manifest.modality import modality_kind, modality_notes
from medclassify.records import InstanceHeader


def images(**counts: int) -> pd.DataFrame:
    rows = [(name if name != "none" else None, f"/{name}/{n}") for name, count in counts.items() for n in range(count)]
    return pd.DataFrame(rows, columns=["modality", "path"], dtype="str")


def test_a_few_of_another_kind_are_a_warning() -> None:
    (note,) = modality_notes(images(DX=900, CT=3))
    assert note.startswith("WARNING: modality: 3 of 903 images are CT, most are radiographs (CR/DX/RG) (first: /CT/0). If they")


def test_radiographs_of_all_sorts_are_one_kind_and_silence_is_no_kind() -> None:
    assert modality_notes(images(DX=50, CR=3, none=2)) == []
    assert modality_notes(images(none=4)) == []


def test_two_large_kinds_are_said_without_alarm() -> None:
    assert [note[:32] for note in modality_notes(images(CT=60, MR=40))] == ["modality: 40 of 100 images are M"]


def test_the_manifest_says_it(header: Callable[..., InstanceHeader], hasher: PatientHasher) -> None:
    headers = [header(f"/{n}", sop_uid=f"1.{n}", modality="CT" if n == 7 else "DX") for n in range(30)]
    assert any("1 of 30 images are CT" in note for note in unlabelled_manifest(headers, hasher)[0].notes)
    assert not any("modality" in note for note in unlabelled_manifest(headers[:7], hasher)[0].notes)


def test_kinds_are_named_whatever_the_case() -> None:
    kinds = modality_kind(pd.Series(["cr", "DX", "CT", None], dtype="str"))
    assert kinds[:3].tolist() == ["radiographs (CR/DX/RG)"] * 2 + ["CT"] and kinds.isna().tolist() == [False] * 3 + [True]
