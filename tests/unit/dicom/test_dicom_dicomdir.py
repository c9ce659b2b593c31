"""DICOMDIRs that come with pydicom, copies of them with faults, and discs with other letters."""

import shutil
from pathlib import Path

import pytest
from pydicom import dcmread

from medclassify.dicom import read_dicomdir, read_image
from medclassify.errors import DecodeError, NotAnImageError, UnsupportedImageError


@pytest.fixture
def disc(tmp_path: Path, bundled) -> Path:
    """A copy of the bundled disc that a test may change."""
    return Path(shutil.copytree(bundled("dicomdirtests"), tmp_path / "disc"))


@pytest.mark.parametrize(
    "name", ["DICOMDIR", "DICOMDIR-bigEnd", "DICOMDIR-implicit", "DICOMDIR-nooffset", "DICOMDIR-reordered"]
)
def test_every_image_of_the_disc_is_found(disc: Path, name: str) -> None:
    listed = read_dicomdir(disc / name)
    on_disc = {path for path in disc.glob("[79]*/*/*") if path.is_file()}
    assert set(listed.images) == on_disc and len(listed.images) == len(on_disc) == 31
    assert listed.missing == () and listed.warnings == ()


def test_an_empty_and_a_nested_directory(disc: Path) -> None:
    assert read_dicomdir(disc / "DICOMDIR-empty.dcm").images == ()
    listed = read_dicomdir(disc / "TINY_ALPHA" / "DICOMDIR")
    assert len(listed.images) == 50
    assert listed.images[0] == disc / "TINY_ALPHA" / "PT000000" / "ST000000" / "SE000000" / "IM000000"


def test_what_is_named_but_not_there_is_listed(disc: Path) -> None:
    gone = disc / "77654033" / "CT2" / "17106"
    gone.unlink()
    shutil.rmtree(disc / "98892003" / "MR1")
    listed = read_dicomdir(disc / "DICOMDIR")
    assert gone in listed.missing and len(listed.missing) == 4 and len(listed.images) == 27
    assert all(path.parent.name == "MR1" for path in listed.missing if path != gone)


def test_letters_and_versions_of_copied_discs(disc: Path) -> None:
    expected = len(read_dicomdir(disc / "DICOMDIR").images)
    (disc / "77654033" / "CT2").rename(disc / "77654033" / "ct2")
    (disc / "77654033" / "CR1" / "6154").rename(disc / "77654033" / "CR1" / "6154.;1")
    listed = read_dicomdir(disc / "DICOMDIR")
    assert len(listed.images) == expected and listed.missing == ()
    assert disc / "77654033" / "ct2" / "17106" in listed.images
    assert disc / "77654033" / "CR1" / "6154.;1" in listed.images


def changed(disc: Path, change) -> Path:
    ds = dcmread(disc / "DICOMDIR")
    change([item for item in ds.DirectoryRecordSequence if item.DirectoryRecordType == "IMAGE"])
    ds.save_as(disc / "DICOMDIR")
    return disc / "DICOMDIR"


@pytest.mark.filterwarnings("ignore:Invalid value for VR CS")
@pytest.mark.parametrize("name", [["..", "SECRET"], ["", "etc"], ["A/B"], [".", "DICOMDIR"]])
def test_names_do_not_lead_out_of_the_folder(disc: Path, name: list[str]) -> None:
    (disc.parent / "SECRET").write_bytes(b"outside")

    def lead_out(images) -> None:
        images[0].ReferencedFileID = name

    listed = read_dicomdir(changed(disc, lead_out))
    assert len(listed.images) == 30 and listed.missing == ()
    assert listed.warnings == ("records that name files outside of the DICOMDIR's folder are passed over: 1",)


def test_other_records_are_counted_and_switched_off_ones_left_out(disc: Path) -> None:
    def change(images) -> None:
        images[0].DirectoryRecordType = "SR DOCUMENT"
        images[1].DirectoryRecordType = "SR DOCUMENT"
        images[2].RecordInUseFlag = 0
        images[4].ReferencedFileID = images[3].ReferencedFileID

    listed = read_dicomdir(changed(disc, change))
    assert len(listed.images) == 27 and listed.missing == ()
    assert listed.warnings == ("records that are no images are passed over: 2 SR DOCUMENT",)


def test_what_is_no_dicomdir_is_refused(tmp_path: Path, bundled) -> None:
    (tmp_path / "a.txt").write_text("text")
    for path in (tmp_path / "a.txt", bundled("CT_small.dcm")):
        with pytest.raises(NotAnImageError, match="not a DICOMDIR. Name the file of that name"):
            read_dicomdir(path)
    with pytest.raises(NotAnImageError, match="no such file"):
        read_dicomdir(tmp_path / "DICOMDIR")


@pytest.mark.parametrize("name", ["DICOMDIR", "DICOMDIR-implicit", "DICOMDIR-bigEnd", "open-ended"])
@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_one_that_is_cut_off_is_not_taken_for_a_short_one(disc: Path, name: str, share: float) -> None:
    if name == "open-ended":
        ds = dcmread(disc / "DICOMDIR")
        ds["DirectoryRecordSequence"].is_undefined_length = True
        ds.save_as(disc / name)
        assert len(read_dicomdir(disc / name).images) == 31
    data = (disc / name).read_bytes()
    (disc / name).write_bytes(data[: int(len(data) * share)])
    with pytest.raises(
        DecodeError, match=rf"{name}: the DICOMDIR is damaged \(\w+\)\. Name the folder that it is in instead\."
    ):
        read_dicomdir(disc / name)


def test_a_giant_one_is_refused_unread(tmp_path: Path) -> None:
    with open(tmp_path / "DICOMDIR", "wb") as handle:
        handle.truncate((1 << 28) + 1)
    with pytest.raises(UnsupportedImageError, match="a DICOMDIR of more than 256 MiB"):
        read_dicomdir(tmp_path / "DICOMDIR")


def test_a_dicomdir_itself_is_no_image(bundled) -> None:
    with pytest.raises(NotAnImageError, match="a DICOMDIR, which lists images and holds none"):
        read_image(bundled("dicomdirtests/DICOMDIR"))
