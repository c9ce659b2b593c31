"""De-identified copies: nothing of the patient stays, everything of the image does."""

import hashlib
import shutil
import struct
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom import config as pydicom_config
from pydicom import dcmread, uid
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from medclassify.dicom import NewInstance, find_images, read_header, read_image, write_image
from medclassify.dicom.codestream import StreamError
from medclassify.dicom.confidentiality import KEPT_TEXT
from medclassify.dicom.deidentify import deidentify_image
from medclassify.dicom.wipe import wipe_jpeg, wipe_jpeg2000
from medclassify.errors import DecodeError, DicomError, UnsupportedImageError

Build = Callable[..., Path]
PATIENT = "0123456789abcdef"
TEXT_VRS = ("LO", "SH", "PN", "ST", "LT", "UC", "UT", "UR", "AE")
SYNTAXES = ("explicit", "implicit", "rle", "jpeg-ls", "jpeg-lossless", "jpeg2000", "htj2k")


def new_uid(old: str) -> str:
    return f"2.25.{int.from_bytes(hashlib.sha256(old.encode()).digest()[:16])}"


def copy_of(path: Path, folder: Path) -> Path:
    return deidentify_image(path, folder, PATIENT, new_uid).path


def every_text() -> Dataset:
    """CANARY in every text attribute that DICOM knows, its tag behind it."""
    planted = Dataset()
    for tag, (vr, *_) in DicomDictionary.items():
        if vr in TEXT_VRS and tag >> 16 > 0x0004:
            planted.add_new(tag, vr, f"CANARY{tag:08X}")
    return planted


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4096, (24, 20), dtype=np.uint16)


@pytest.fixture
def strict_values() -> Iterator[None]:
    before = pydicom_config.settings.reading_validation_mode
    pydicom_config.settings.reading_validation_mode = pydicom_config.RAISE
    yield
    pydicom_config.settings.reading_validation_mode = before


def test_no_text_of_any_attribute_stays_at_any_depth(build: Build, pixels: np.ndarray, tmp_path: Path) -> None:
    path = build(pixels)
    ds = dcmread(path)
    kept = {int(tag) for tag in KEPT_TEXT}
    inner, outer = every_text(), every_text()
    outer.AnatomicRegionSequence = Sequence([inner])
    ds.update({element.tag: element for element in every_text()})
    ds.ViewCodeSequence = Sequence([outer])
    ds.SourceImageSequence = Sequence([inner])
    block = ds.private_block(0x0009, "CANARY MAKER", create=True)
    block.add_new(1, "LO", "CANARY")
    block.add_new(2, "SQ", [every_text()])
    for tag, vr, value in (
        *((0x50003000, "OW", b"CANARY curve"), (0x60003000, "OW", b"CANARY overlay"), (0x60000022, "LO", "CANARY")),
        *((0xFFFCFFFC, "OB", b"CANARY trailing "), (0x00282000, "OB", b"CANARY profile "), (0x00420011, "OB", b"CANARY")),
        *((0x0018FFF1, "UN", b"CANARY"), (0x00185100, "CS", "QUITE A LONG TEXT: CANARY")),
        *((0x00080020, "DA", "20991231"), (0x00080030, "TM", "121212"), (0x00101010, "AS", "099Y")),
        *((0x00180050, "DS", "787878"), (0x00200013, "IS", "898989"), (0x0020000D, "UI", "1.2.777777")),
    ):
        ds.add_new(tag, vr, value)
    for tag in kept:
        ds[tag].value = "kept as it is"
    ds.PixelData += b"CANARY after the pixels "
    ds.preamble = b"CANARY".ljust(128, b"\0")
    ds.file_meta.SourceApplicationEntityTitle = "CANARY"
    ds.file_meta.PrivateInformationCreatorUID = "1.2.3"
    ds.file_meta.PrivateInformation = b"CANARY"
    ds.save_as(path)
    raw = path.read_bytes()
    for value in (b"20991231", b"121212", b"777777", b"787878", b"898989"):  # pydicom would not write text in these
        assert raw.count(value) == 1
        raw = raw.replace(value, b"CANARY".ljust(len(value)))
    path.write_bytes(raw)
    assert path.read_bytes().count(b"CANARY") > 1800
    copy = copy_of(path, tmp_path / "out")
    raw = copy.read_bytes()
    # What made an image and what its values mean may be said at the top, where the site wrote "kept as it is".
    left = {raw[at : at + 14].decode() for at in range(len(raw)) if raw.startswith(b"CANARY", at)}
    assert left <= {f"CANARY{tag:08X}" for tag in kept}
    done = dcmread(copy)
    assert [element.value for element in done if int(element.tag) in kept] == ["kept as it is"] * len(kept)
    assert not [
        element for element in done.iterall() if element.tag.is_private or element.tag.group & 0xFF00 in (0x5000, 0x6000)
    ]


def test_the_patient_is_a_hash_and_the_profile_is_named(build: Build, pixels: np.ndarray, tmp_path: Path) -> None:
    ds = dcmread(copy_of(build(pixels, PatientSex="F", PatientAge="045Y", StudyDate="20240229"), tmp_path / "out"))
    assert (ds.PatientID, ds.PatientName, ds.PatientBirthDate, ds.PatientSex, ds.StudyDate) == (PATIENT, "", "", "", "")
    assert "PatientAge" not in ds
    assert ds.PatientIdentityRemoved == "YES" and ds.LongitudinalTemporalInformationModified == "REMOVED"
    assert "Basic Profile" in ds.DeidentificationMethod[0]
    code = ds.DeidentificationMethodCodeSequence[0]
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("113100", "DCM")
    assert ds.preamble == bytes(128)


def test_uids_are_new_names_files_and_references_stay_whole(build: Build, pixels: np.ndarray, tmp_path: Path) -> None:
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = uid.CTImageStorage, "2.25.77"
    first = build(pixels, name="smith_john.dcm", SourceImageSequence=Sequence([reference]), FrameOfReferenceUID="1.2.99")
    second = build(pixels, name="b.dcm", SOPInstanceUID="2.25.77", FrameOfReferenceUID="1.2.99")
    one, two = (deidentify_image(path, tmp_path / "out", PATIENT, new_uid) for path in (first, second))
    assert one.path.relative_to(tmp_path / "out").parts == (one.study_uid, f"{one.sop_uid}.dcm")
    assert one.study_uid == two.study_uid == new_uid("2.25.2") and two.sop_uid == new_uid("2.25.77")
    ds, other = dcmread(one.path), dcmread(two.path)
    assert ds.SourceImageSequence[0].ReferencedSOPInstanceUID == other.SOPInstanceUID
    assert ds.SourceImageSequence[0].ReferencedSOPClassUID == uid.CTImageStorage == ds.SOPClassUID
    assert ds.FrameOfReferenceUID == other.FrameOfReferenceUID != "1.2.99"
    assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID == one.sop_uid


def test_published_codes_stay_and_a_sites_own_do_not(build: Build, pixels: np.ndarray, tmp_path: Path) -> None:
    codes = []
    for scheme, meaning in (("SCT", "Chest"), ("99OURS", "CANARY the patient's chest")):
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "51185008", scheme, meaning
        codes.append(code)
    path = build(pixels, AnatomicRegionSequence=Sequence(codes), StudyDescription="CANARY", BodyPartExamined="Chest")
    ds = dcmread(copy_of(path, tmp_path / "out"))
    found = [(code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning) for code in ds.AnatomicRegionSequence]
    assert found == [("51185008", "SCT", "Chest"), ("REMOVED", "99REMOVED", "REMOVED")]
    assert "StudyDescription" not in ds and ds.BodyPartExamined == "Chest"


@pytest.mark.parametrize("syntax", [*SYNTAXES, "jpeg-baseline"])
def test_the_pixels_are_the_same(syntax: Any, pixels: np.ndarray, tmp_path: Path) -> None:
    lossy = syntax == "jpeg-baseline"
    instance = NewInstance(
        transfer_syntax=syntax, patient_name="CANARY", bits_stored=8 if lossy else 12, photometric="MONOCHROME1", sex="M"
    )
    write_image(tmp_path / "a.dcm", (pixels >> 4).astype(np.uint8) if lossy else pixels, instance)
    copy = copy_of(tmp_path / "a.dcm", tmp_path / "out")
    before, after = read_image(tmp_path / "a.dcm"), read_image(copy)
    np.testing.assert_array_equal(before.pixels, after.pixels)
    assert before.applied == after.applied
    assert b"CANARY" not in copy.read_bytes()


@pytest.mark.parametrize("syntax", [uid.ExplicitVRBigEndian, uid.DeflatedExplicitVRLittleEndian])
def test_big_endian_and_deflated_files_keep_their_encoding(
    syntax: uid.UID, build: Build, pixels: np.ndarray, tmp_path: Path
) -> None:
    path = build(pixels, syntax=syntax)
    copy = copy_of(path, tmp_path / "out")
    assert read_header(copy).transfer_syntax == read_header(path).transfer_syntax
    np.testing.assert_array_equal(read_image(path).pixels, read_image(copy).pixels)


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"BurnedInAnnotation": "YES"}, "is YES: the pixels may name the patient"),
        ({"Modality": "US"}, "Modality US, and Burned In Annotation"),
        ({"SOPClassUID": uid.SecondaryCaptureImageStorage}, "a screen capture or ultrasound image"),
        ({"SOPClassUID": uid.UltrasoundMultiFrameImageStorage}, "a screen capture or ultrasound image"),
        ({"ConversionType": "WSD"}, "a converted image or screen shot"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "a converted image or screen shot"),
    ],
)
def test_pixels_that_may_show_text_are_not_copied(
    facts: dict[str, Any], why: str, build: Build, pixels: np.ndarray, tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedImageError, match=why):
        copy_of(build(pixels, **facts), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    if facts.get("BurnedInAnnotation") != "YES":  # the flag says that a person has looked
        assert copy_of(build(pixels, **{**facts, "BurnedInAnnotation": "NO"}), tmp_path / "out").is_file()


def test_pictures_damaged_files_and_files_without_a_uid_are_named_errors(
    build: Build, pixels: np.ndarray, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(pixels))
    with pytest.raises(UnsupportedImageError, match="a PNG picture, whose text only a person can see"):
        copy_of(tmp_path / "a.png", tmp_path / "out")
    with pytest.raises(DecodeError, match="no SOP Instance UID"):
        copy_of(build(pixels, SOPInstanceUID=None), tmp_path / "out")
    cut = build(pixels)
    cut.write_bytes(cut.read_bytes()[:-200])
    with pytest.raises(DecodeError, match=r"holds \d+ bytes, the image needs 960"):
        copy_of(cut, tmp_path / "out")
    garbled = build(pixels, Rows=None)
    with pytest.raises(DecodeError, match=r"the header is damaged \(AttributeError\)"):
        copy_of(garbled, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_overlay_in_the_unused_bits_goes_and_the_values_stay(build: Build, tmp_path: Path) -> None:
    signed = np.random.default_rng(1).integers(-2048, 2048, (16, 16), dtype=np.int16)
    stored = (signed & 0x0FFF) | (np.eye(16, dtype=np.int16) << 12)
    path = build(stored, BitsStored=12, HighBit=11)
    ds = dcmread(path)
    ds.add_new(0x60000102, "US", 12)
    ds.add_new(0x60000100, "US", 16)
    ds.save_as(path)
    np.testing.assert_array_equal(dcmread(copy_of(path, tmp_path / "out")).pixel_array, signed)
    ds.HighBit = 15
    ds.save_as(path)
    with pytest.raises(UnsupportedImageError, match="holds an overlay"):
        copy_of(path, tmp_path / "out")


def _with_comment(stream: bytes, marker: bytes, payload: bytes) -> bytes:
    """The stream with a segment before its last header segment."""
    at = 2 if marker[1] >= 0xC0 else 4 + struct.unpack(">H", stream[4:6])[0]
    return stream[:at] + marker + struct.pack(">H", len(payload) + 2) + payload + stream[at:]


@pytest.mark.parametrize("marker", [b"\xff\xfe", b"\xff\xe1", b"\xff\xe0"])
@pytest.mark.parametrize("lossless", [False, True])
def test_jpeg_comments_and_application_data_are_wiped(marker: bytes, lossless: bool, pixels: np.ndarray) -> None:
    image = (pixels >> 4).astype(np.uint8)
    stream = imagecodecs.jpegls_encode(image) if lossless else imagecodecs.jpeg8_encode(image)
    named = _with_comment(stream, marker, b"CANARY was here") + b"CANARY"
    wiped = wipe_jpeg(named)
    assert b"CANARY" not in wiped and len(wiped) % 2 == 0
    decode = imagecodecs.jpegls_decode if lossless else imagecodecs.jpeg8_decode
    np.testing.assert_array_equal(decode(wiped), decode(stream))
    assert wipe_jpeg(stream).rstrip(b"\0") == stream.rstrip(b"\0")


def test_jpeg2000_comments_and_boxes_are_wiped(pixels: np.ndarray) -> None:
    stream = imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="j2k", reversible=True)
    named = b"CANARY box" + _with_comment(stream, b"\xff\x64", b"\0\1CANARY was here") + b"CANARY"
    wiped = wipe_jpeg2000(named)
    assert b"CANARY" not in wiped
    np.testing.assert_array_equal(imagecodecs.jpeg2k_decode(wiped), pixels)
    jp2 = imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="jp2", reversible=True)
    np.testing.assert_array_equal(imagecodecs.jpeg2k_decode(wipe_jpeg2000(jp2)), pixels)


@pytest.mark.parametrize("wipe", [wipe_jpeg, wipe_jpeg2000])
def test_a_stream_that_cannot_be_walked_is_refused(wipe: Callable[[bytes], bytes], pixels: np.ndarray) -> None:
    good = {
        wipe_jpeg: imagecodecs.jpeg8_encode((pixels >> 4).astype(np.uint8)),
        wipe_jpeg2000: imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="j2k"),
    }[wipe]
    for bad in (b"CANARY", good[:-20], good[:2] + b"\0CANARY" + good[2:], good[:4] + b"\xff\xf0" + good[6:]):
        with pytest.raises(StreamError):
            wipe(bad)


def test_a_stream_that_cannot_be_walked_is_not_copied(build: Build, pixels: np.ndarray, tmp_path: Path) -> None:
    path = build(pixels, frame=b"CANARY is no JPEG ", syntax=uid.JPEGLSLossless)
    with pytest.raises(UnsupportedImageError, match=r"Pixel Data \(7FE0,0010\) is not a JPEG stream, and may hold text"):
        copy_of(path, tmp_path / "out")


def test_files_that_come_with_pydicom_keep_their_pixels(corpus: list[Path], tmp_path: Path, strict_values: None) -> None:
    outcomes: Counter[str] = Counter()
    for path in corpus:
        try:
            copy = copy_of(path, tmp_path / "out")
        except DicomError as error:
            outcomes[type(error).__name__] += 1
            continue
        outcomes["copied"] += 1
        assert dcmread(copy).get("PixelData", b"") is not None
        assert list(dcmread(copy).iterall())  # every value is one that its VR allows
        try:
            before = read_image(path).pixels
        except DicomError:
            continue
        np.testing.assert_array_equal(before, read_image(copy).pixels)
    assert outcomes["copied"] > 80 and set(outcomes) <= {"copied", "UnsupportedImageError", "DecodeError", "NotAnImageError"}


@pytest.mark.parametrize(("folder", "step"), [("cxr", 9), ("ct", 4), ("nih", 60)])
def test_real_files_name_nobody_and_read_the_same(folder: str, step: int, real_data: Path, tmp_path: Path) -> None:
    paths = find_images([real_data / folder])[::step]
    assert folder == "ct" or all(b"CANARY" in path.read_bytes() for path in paths)
    for path in paths:
        copy = copy_of(path, tmp_path / "out")
        assert b"CANARY" not in copy.read_bytes() and path.stem not in str(copy)
        np.testing.assert_array_equal(read_image(path).pixels, read_image(copy).pixels)


def test_the_validator_finds_no_new_error(real_data: Path, corpus: list[Path], tmp_path: Path) -> None:
    if shutil.which("dciodvfy") is None:
        pytest.skip("no dciodvfy: install the package dicom3tools")

    def errors(path: Path) -> Counter[str]:
        done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, errors="replace", check=False)
        # An original that repeats a UID where it must not does so in the copy, under another UID.
        return Counter(line.partition(" <2.25.")[0] for line in done.stderr.splitlines() if line.startswith("Error"))

    real = [find_images([real_data / folder])[0] for folder in ("cxr", "ct", "nih")]
    wanted = ("liver_1frame.dcm", "CT_small.dcm", "MR_small.dcm")  # the first is an enhanced multi-frame object
    enhanced = [path for path in corpus if path.name in wanted]
    assert len(enhanced) == 3
    for path in (*real, *enhanced):
        try:
            copy = copy_of(path, tmp_path / "out")
        except UnsupportedImageError:
            continue
        assert not errors(copy) - errors(path), path.name
