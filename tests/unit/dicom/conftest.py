"""A builder of DICOM files with any attribute, right or wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom.data
import pytest
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate

BUNDLED = Path(pydicom.data.__file__).parent / "test_files"
Build = Callable[..., Path]


def _dataset(pixels: np.ndarray | None) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID = uid.CTImageStorage
    ds.SOPInstanceUID = "2.25.1"
    ds.StudyInstanceUID = "2.25.2"
    ds.SeriesInstanceUID = "2.25.3"
    ds.Modality = "DX"
    ds.PatientName = "CANARY^A"
    ds.PatientID = "p1"
    ds.PatientBirthDate = "19010101"
    ds.AccessionNumber = "CANARY1"
    if pixels is not None:
        ds.SamplesPerPixel = 1
        ds.PhotometricInterpretation = "MONOCHROME2"
        ds.Rows, ds.Columns = pixels.shape[:2]
        ds.BitsAllocated = ds.BitsStored = 8 * pixels.itemsize
        ds.HighBit = ds.BitsStored - 1
        ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    return ds


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """``build(pixels, frame=None, syntax=..., name=..., **attributes)``: writes a file; an attribute of None is left out.

    Pixels of (frames, H, W) make a multi-frame file. ``frame`` is a compressed stream, or a list of them; ``fragments`` cuts
    each into so many, ``offsets`` says whether the Basic Offset Table is filled.
    """

    def write(
        pixels: np.ndarray | None,
        frame: bytes | list[bytes] | None = None,
        syntax: str = "",
        name: str = "made.dcm",
        fragments: int = 1,
        offsets: bool = True,
        **attributes: Any,
    ) -> Path:
        ds = _dataset(pixels if pixels is None or pixels.ndim == 2 else pixels[0])
        if pixels is not None and pixels.ndim == 3:
            ds.NumberOfFrames = len(pixels)
        syntax = syntax or uid.ExplicitVRLittleEndian
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = uid.UID(syntax)
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        if frame is not None:
            streams = [frame] if isinstance(frame, bytes) else [bytes(stream) for stream in frame]
            ds.PixelData = encapsulate(streams, fragments_per_frame=fragments, has_bot=offsets)
            ds["PixelData"].VR = "OB"
            ds["PixelData"].is_undefined_length = True
        elif pixels is not None:
            order = ">" if syntax == uid.ExplicitVRBigEndian else "<"
            data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
            ds.PixelData = data + b"\0" * (len(data) % 2)
            ds["PixelData"].VR = "OW" if pixels.itemsize > 1 else "OB"
        for keyword, value in attributes.items():
            if value is None:
                del ds[keyword]
            else:
                setattr(ds, keyword, value)
        path = tmp_path / name
        ds.save_as(path, enforce_file_format=True)
        return path

    return write


@pytest.fixture(scope="session")
def bundled() -> Callable[[str], Path]:
    """``bundled(name)``: a file that comes with pydicom (its own look-up would try to download more)."""
    return lambda name: BUNDLED / name


@pytest.fixture(scope="session")
def corpus() -> list[Path]:
    """All files that come with pydicom: images, reports, plans, directories, texts."""
    return sorted(path for path in BUNDLED.rglob("*") if path.is_file())


@pytest.fixture(scope="session")
def ramp() -> np.ndarray:
    """uint16 (40, 33), 12 bits, with structure and noise: an odd width catches padding faults."""
    y, x = np.mgrid[:40, :33]
    noise = np.random.default_rng(0).normal(0, 20, y.shape)
    return (2000 + 1500 * np.sin(y / 9) * np.cos(x / 7) + noise).clip(0, 4095).astype(np.uint16)
