import pytest

from medclassify.errors import ManifestError
from medclassify.manifest import Manifest, PatientHasher, unlabelled_manifest
from medclassify.records import InstanceHeader
from medclassify.workflows.modalities import keep_learnt, modalities_of


def manifest(*modalities: str) -> Manifest:
    headers = [
        InstanceHeader(
            path=f"/images/{number}", sop_uid=f"1.{number}", study_uid="", series_uid="", patient_key=f"P{number}",
            modality=modality, photometric="MONOCHROME2", rows=9, columns=9, frames=1, bits_stored=12, transfer_syntax="",
            spacing_mm=None, spacing_source="", view="", laterality="", site="", manufacturer="", sex="", age_years=None,
            burned_in=False,
        )
        for number, modality in enumerate(modalities)
    ]  # fmt: skip
    return unlabelled_manifest(headers, PatientHasher())[0]


def test_a_model_of_radiographs_scores_no_ct(capsys: pytest.CaptureFixture[str]) -> None:
    kept, left_out = keep_learnt(manifest("CR", "DX", "CT", "RG", "CT"), ("CR",))
    assert kept.frame["modality"].tolist() == ["CR", "DX", "RG"]
    assert [(e.path, e.reason) for e in left_out] == [
        (f"/images/{number}", "CT, while the model learnt from CR") for number in (2, 4)
    ]
    assert capsys.readouterr().err == ""  # the exclusions are told with all others, once


def test_radiographs_are_one_kind_and_nothing_is_said_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    kept, left_out = keep_learnt(manifest("CR", "dx", ""), ("", "DX"))
    assert len(kept) == 3 and left_out == [] and capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("learnt", "scored", "line"),
    [
        (("CR", "DX"), ("DX", "", ""), "2 images are of no stated modality, the model learnt from CR and DX: look"),
        (("",), ("CT", ""), "1 image is CT, the model learnt from files that do not say their modality: look"),
        ((), ("CR",), "1 image is CR, the model learnt from modalities that it does not tell: look"),
    ],
)
def test_what_cannot_be_compared_is_scored_with_a_warning(learnt, scored, line, capsys) -> None:
    kept, left_out = keep_learnt(manifest(*scored), learnt)
    (told,) = capsys.readouterr().err.splitlines()
    assert len(kept) == len(scored) and left_out == [] and told.startswith(f"WARNING: {line}")


def test_nothing_left_is_an_error() -> None:
    with pytest.raises(ManifestError, match="all are CT or MR, while the model learnt from CR and DX. Name other images"):
        keep_learnt(manifest("CT", "MR"), ("CR", "DX"))


def test_the_modalities_of_a_manifest() -> None:
    assert modalities_of(manifest("DX", "", "cr", "DX")) == ("", "CR", "DX")
