import numpy as np
import pytest
from pydicom.dataset import Dataset

from medclassify.dicom import read_image
from medclassify.dicom.modality import apply_rescale, rescaled_range
from medclassify.errors import DecodeError
from medclassify.records import Units


def test_rescale_by_hand() -> None:
    stored = np.array([[0, 1], [10, 4095]], np.uint16)
    values = apply_rescale(stored, 0.5, -100)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, [[-100, -99.5], [-95, 1947.5]])
    np.testing.assert_array_equal(stored, [[0, 1], [10, 4095]])


def test_values_of_32_bits_keep_their_digits_through_the_rescale() -> None:
    """A float32 holds 24 bits: rescaling after the conversion would lose the last four."""
    stored = np.array([[-(2**28) + 3, 2**28 + 5]], np.int32)
    np.testing.assert_array_equal(apply_rescale(stored, 1, -(2**28)), [[-(2**29) + 3 - 3, 5]])


@pytest.mark.parametrize(
    ("slope", "intercept", "expected"), [(1, 0, (0, 4095)), (0.5, -100, (-100, 1947.5)), (-1, 4095, (0, 4095))]
)
def test_the_range_of_a_rescale_ascends(slope, intercept, expected) -> None:
    assert rescaled_range(0, 4095, slope, intercept) == expected


def lut_item(first: int, entries: list[int], bits: int, vr: str = "US") -> Dataset:
    item = Dataset()
    item.add_new(0x00283002, "US" if first >= 0 else "SS", [len(entries), first, bits])
    item.ModalityLUTType = "US"
    item.add_new(0x00283006, vr, entries if vr == "US" else np.array(entries, "<u2").tobytes())
    return item


@pytest.mark.parametrize("vr", ["US", "OW"])
def test_a_modality_lut_by_hand(build, vr) -> None:
    """Inputs below the first and beyond the last entry take the first and the last (PS3.3 C.11.1.1)."""
    pixels = np.array([[0, 9, 10], [11, 12, 60000]], np.uint16)
    path = build(pixels, ModalityLUTSequence=[lut_item(10, [100, 300, 65535], 16, vr)])
    image = read_image(path, window="none")
    np.testing.assert_array_equal(image.pixels, [[100, 100, 100], [300, 65535, 65535]])
    assert image.units is Units.STORED
    assert image.applied == ("modality LUT of 3 entries",)


@pytest.mark.parametrize("first", [-2, 65534])
def test_a_modality_lut_with_a_negative_first_input(build, first) -> None:
    """65534 is −2 written as US, as explicit VR files often have it."""
    pixels = np.array([[-3, -2, -1, 5]], np.int16)
    image = read_image(build(pixels, ModalityLUTSequence=[lut_item(first, [7, 8, 9], 16)]), window="none")
    np.testing.assert_array_equal(image.pixels, [[7, 7, 8, 9]])


def test_full_range_of_a_modality_lut_is_that_of_its_entries(build) -> None:
    pixels = np.array([[0, 1]], np.uint16)
    image = read_image(build(pixels, ModalityLUTSequence=[lut_item(0, [0, 1023], 10)]), window="full")
    np.testing.assert_array_equal(image.pixels, [[0, 1]])
    assert image.applied[-1] == "full range 0 to 1023"


def test_eight_bit_entries_packed_in_words(build) -> None:
    item = lut_item(0, [1, 2, 3, 4], 8, "OW")
    item.LUTData = bytes([10, 20, 30, 40])
    image = read_image(build(np.array([[0, 3]], np.uint16), ModalityLUTSequence=[item]), window="none")
    np.testing.assert_array_equal(image.pixels, [[10, 40]])


@pytest.mark.parametrize(
    ("descriptor", "message"),
    [
        ([4, 0, 16], r"Modality LUT Sequence \(0028,3000\) claims 4 entries, its data holds 6 bytes"),
        ([0, 0, 16], r"claims 65536 entries, its data holds 6 bytes"),
        ([3, 0, 40], r"claims entries of 40 bits, expected 8 to 16"),
        ([3, 0], r"holds no complete table"),
    ],
)
def test_tables_that_contradict_themselves_are_refused(build, descriptor, message) -> None:
    item = lut_item(0, [1, 2, 3], 16, "OW")
    item.LUTDescriptor = descriptor
    with pytest.raises(DecodeError, match=message):
        read_image(build(np.zeros((2, 2), np.uint16), ModalityLUTSequence=[item]))


@pytest.mark.parametrize(("slope", "intercept"), [("0", "0"), ("1e300", "0"), ("1", "1e30"), ("1e-30", "0")])
def test_a_rescale_that_leaves_no_image_is_refused(build, slope, intercept) -> None:
    path = build(np.zeros((2, 2), np.uint16), RescaleSlope=slope, RescaleIntercept=intercept)
    with pytest.raises(DecodeError, match=r"made\.dcm: Rescale Slope \(0028,1053\) .* leave no image"):
        read_image(path)
