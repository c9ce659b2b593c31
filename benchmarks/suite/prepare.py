"""From a DICOM file to the network's square: against bare decoding, pydicom's own decoders and MONAI."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from benchmarks.harness import Measure, NotMeasurableError, speed_ratio, worst

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from medclassify.records import Preprocessing

CORES = 1
COMPRESSED = ("jpeg-ls", "jpeg-lossless", "jpeg2000", "jpeg-baseline")
EVERY = ("explicit", "rle", *COMPRESSED, "htj2k")
SIDE = 224


def keys(quick: bool) -> Mapping[str, Callable[[], Measure]]:
    """The measures of this benchmark."""
    return {
        "vs_bare_decode": lambda: vs_bare_decode(quick),
        "raw_ct_vs_bare_decode": lambda: raw_ct_vs_bare_decode(quick),
        "raw_dx_vs_bare_decode": lambda: raw_dx_vs_bare_decode(quick),
        "decode_vs_pydicom": lambda: decode_vs_pydicom(quick),
        "j2k_vs_full_decode": lambda: j2k_vs_full_decode(quick),
        "vs_monai": lambda: vs_monai(quick),
    }


def vs_bare_decode(quick: bool) -> Measure:
    """The whole preparation against imagecodecs decoding the same frame to an array, worst compressed codec."""
    return worst("vs_bare_decode", [_against_bare(syntax, 0.85, quick) for syntax in COMPRESSED])


def raw_dx_vs_bare_decode(quick: bool) -> Measure:
    """The same for uncompressed pixels, whose bare decode is to read the pixels at a known place and copy them."""
    measure = _against_bare("explicit", 0.45, quick)
    return replace(measure, key="raw_dx_vs_bare_decode")


def raw_ct_vs_bare_decode(quick: bool) -> Measure:
    """The same for an uncompressed CT slice against pydicom, the fastest that reads the file by its header."""
    from pydicom.pixels import pixel_array

    from medclassify.data import prepare_image

    with tempfile.TemporaryDirectory() as folder:
        path = ct_slice(Path(folder))
        return speed_ratio(
            "raw_ct_vs_bare_decode",
            lambda: prepare_image(path, _preprocessing(SIDE)),
            lambda: pixel_array(path),
            names=("read, decode, window, shrink, hash", "pydicom's pixel_array"),
            goal=0.8,
            rounds=_rounds(quick),
            note="512 × 512, signed, with padding, a header of a hundred elements",
        )


def decode_vs_pydicom(quick: bool) -> Measure:
    """Our decoding against what pydicom does by itself with its fastest other plug-in, worst codec; results must be equal."""
    measures = []
    for syntax in ("jpeg-lossless", "jpeg-baseline"):
        try:
            measures.append(_against_pydicom(syntax, quick))
        except NotMeasurableError as error:
            print(f"  decode_vs_pydicom: {syntax} left out, {error}")
    return worst("decode_vs_pydicom", measures)


def j2k_vs_full_decode(quick: bool) -> Measure:
    """The whole preparation of a JPEG 2000 file against its full decode; the note says how far the pixels are apart."""
    import cv2
    import numpy as np

    from medclassify.dicom import read_image, read_shrunk

    measure = _against_bare("jpeg2000", 8, quick)
    with tempfile.TemporaryDirectory() as folder:
        path = radiograph(Path(folder), "jpeg2000", quick)
        shrunk = read_shrunk(path, longest_side=SIDE).image
        whole = cv2.resize(read_image(path).pixels, shrunk.pixels.shape[::-1], interpolation=cv2.INTER_AREA)
        away = np.abs(shrunk.pixels - whole) * 255
    error = f"mean difference {away.mean():.2f}, largest {away.max():.2f} of 255 levels; {shrunk.applied[0]}"
    return replace(measure, key="j2k_vs_full_decode", note=f"{error}; {measure.note}")


def vs_monai(quick: bool) -> Measure:
    """The whole preparation against MONAI's LoadImaged, Resized and ScaleIntensityRanged, worst codec that MONAI can read."""
    import numpy as np

    from medclassify.data import prepare_image

    measures = []
    with tempfile.TemporaryDirectory() as folder:
        for syntax in EVERY:
            path, chain = radiograph(Path(folder), syntax, quick), _monai_chain(syntax, quick)
            try:
                theirs = chain(path)
            except Exception as error:  # what MONAI raises depends on pydicom's plug-ins
                print(f"  vs_monai: {syntax} left out, MONAI cannot read it here ({' '.join(str(error).split())[:80]})")
                continue
            prepared = prepare_image(path, _preprocessing(SIDE))
            place = prepared.geometry
            ours = prepared.pixels[0][:, place.left : place.left + place.width]
            away = float(np.abs(ours - np.asarray(theirs)[0].T * 255).mean())  # MONAI puts columns first
            measures.append(
                speed_ratio(
                    syntax,
                    lambda path=path: prepare_image(path, _preprocessing(SIDE)),
                    lambda path=path, chain=chain: chain(path),
                    names=("prepare_image", "MONAI"),
                    goal=2.5,
                    rounds=_rounds(quick),
                    note=f"{syntax}, {_shape(quick)}, to {SIDE}, {away:.2f} of 255 levels apart on average",
                )
            )
    return worst("vs_monai", measures)


def _monai_chain(syntax: str, quick: bool) -> Callable[[Path], Any]:
    """What MONAI's own documentation does, with the fastest interpolation that does not alias."""
    from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, Resized, ScaleIntensityRanged

    rows, columns = _size(quick)
    spatial_size = (round(columns * SIDE / rows), SIDE)
    chain = Compose(
        [
            LoadImaged("image", reader="PydicomReader", image_only=True),
            EnsureChannelFirstd("image"),
            Resized("image", spatial_size, mode="area"),
            ScaleIntensityRanged("image", 0, 255 if syntax == "jpeg-baseline" else 4095, 0, 1, clip=True),
        ]
    )
    return lambda path: cast(dict[str, Any], chain({"image": path}))["image"]


def _against_bare(syntax: str, goal: float, quick: bool) -> Measure:
    from medclassify.data import prepare_image

    with tempfile.TemporaryDirectory() as folder:
        path = radiograph(Path(folder), syntax, quick)
        decode = bare_decoder(syntax, path)
        return speed_ratio(
            syntax,
            lambda: prepare_image(path, _preprocessing(SIDE)),
            decode,
            names=("read, decode, window, shrink, hash", "bare decode of the frame in memory"),
            goal=goal,
            rounds=_rounds(quick),
            note=f"{syntax}, {_shape(quick)}",
        )


def _against_pydicom(syntax: str, quick: bool) -> Measure:
    import numpy as np
    import pydicom
    from pydicom.pixels import get_decoder, pixel_array

    from medclassify.dicom import read_image

    with tempfile.TemporaryDirectory() as folder:
        path = radiograph(Path(folder), syntax, quick)
        uid = pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID
        others = get_decoder(uid).available_plugins
        if not others:
            raise NotMeasurableError("pydicom by itself cannot decode it here: pip install python-gdcm")

        def pydicom_alone() -> NDArray[Any]:
            return pixel_array(path, decoding_plugin=others[0])

        if not np.array_equal(read_image(path, window="none").pixels, pydicom_alone()):
            raise NotMeasurableError(f"our pixels differ from pydicom's with {others[0]}; a faster wrong answer is none")
        return speed_ratio(
            syntax,
            lambda: read_image(path, window="none"),
            pydicom_alone,
            names=("read_image", f"pydicom with {others[0]}"),
            goal=2.0,
            rounds=_rounds(quick),
            note=f"{syntax}, {_shape(quick)}, bit-exact",
        )


def bare_decoder(syntax: str, path: Path) -> Callable[[], Any]:
    """A call that reads the file and decodes its frame with the fastest decoder known for it, and does nothing else."""
    import imagecodecs
    import numpy as np
    import pydicom
    from pydicom.encaps import get_frame

    header = pydicom.dcmread(path)
    compressed = syntax != "explicit"
    frame = get_frame(header.PixelData, 0, number_of_frames=1) if compressed else header.PixelData
    start = path.read_bytes().index(frame[:64])
    shape, size = (header.Rows, header.Columns), len(frame)
    decode: dict[str, Callable[[bytes], Any]] = {
        "explicit": lambda data: np.frombuffer(data, np.uint16).reshape(shape).copy(),
        "jpeg-ls": imagecodecs.jpegls_decode,
        "jpeg-lossless": imagecodecs.jpeg8_decode,
        "jpeg-baseline": imagecodecs.jpeg8_decode,
        "jpeg2000": lambda data: imagecodecs.jpeg2k_decode(data, numthreads=1),
    }

    def read_and_decode() -> Any:
        with open(path, "rb") as file:
            file.seek(start)
            return decode[syntax](file.read(size))

    return read_and_decode


def radiograph(folder: Path, syntax: str, quick: bool) -> Path:
    """Writes one radiograph of a detector's size: smooth with quantum noise, so that codecs work as on a real one."""
    import numpy as np
    from scipy.ndimage import gaussian_filter

    from medclassify.dicom import NewInstance, write_image

    shape = _size(quick)
    generator = np.random.default_rng(0)
    smooth = gaussian_filter(generator.standard_normal(shape).astype(np.float32), shape[0] / 40)
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    eight = syntax == "jpeg-baseline"
    highest = 255 if eight else 4095
    values = smooth * 0.8 * highest + generator.normal(0, highest / 400, shape)
    pixels = np.clip(np.rint(values), 0, highest).astype(np.uint8 if eight else np.uint16)
    instance = NewInstance(
        bits_stored=8 if eight else 12,
        transfer_syntax=syntax,  # pyright: ignore[reportArgumentType]
        window_center=highest / 2,
        window_width=highest,
    )
    path = folder / f"{syntax}.dcm"
    write_image(path, pixels, instance)
    return path


def ct_slice(folder: Path) -> Path:
    """Writes an uncompressed CT slice as scanners do: a long header, signed values, padding around the field of view."""
    import numpy as np
    from pydicom import uid
    from pydicom.dataset import Dataset, FileMetaDataset
    from scipy.ndimage import gaussian_filter

    y, x = np.mgrid[:512, :512] - 256
    tissue = gaussian_filter(np.random.default_rng(0).standard_normal((512, 512)), 12) * 9000
    pixels = np.where(x**2 + y**2 < 250**2, np.clip(tissue + 700, 0, 3000), -2000).astype(np.int16)
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = uid.CTImageStorage
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = uid.UID("2.25.1")
    header.Modality, header.PhotometricInterpretation = "CT", "MONOCHROME2"
    header.SamplesPerPixel, header.PixelRepresentation = 1, 1
    header.Rows, header.Columns = pixels.shape
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 16, 15
    header.PixelPaddingValue = -2000
    header.RescaleSlope, header.RescaleIntercept, header.RescaleType = "1", "-1024", "HU"
    header.WindowCenter, header.WindowWidth = "-600", "1500"
    header.private_block(0x0019, "ACQUISITION", create=True)
    for number in range(70):  # scanners write about a hundred elements
        header.add_new(0x00191001 + number, "DS", f"{number}.5")
    header.PixelData = pixels.tobytes()
    header["PixelData"].VR = "OW"
    path = folder / "ct.dcm"
    header.save_as(path, enforce_file_format=True)
    return path


def _preprocessing(size: int) -> Preprocessing:
    from medclassify.records import Preprocessing

    return Preprocessing(size, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), interpolation="bicubic", window="voi")


def _rounds(quick: bool) -> int:
    return 3 if quick else 9


def _size(quick: bool) -> tuple[int, int]:
    return (1250, 1024) if quick else (2500, 2048)


def _shape(quick: bool) -> str:
    return "{} × {}".format(*_size(quick))
