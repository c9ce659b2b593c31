"""From a DICOM file to the network's square: against bare decoding, pydicom's own decoders and MONAI."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.harness import Measure, NotMeasurableError, speed_ratio, worst

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from medclassify.records import Preprocessing

CORES = 1
COMPRESSED = ("jpeg-ls", "jpeg-lossless", "jpeg2000", "jpeg-baseline")


def keys(quick: bool) -> Mapping[str, Callable[[], Measure]]:
    """The measures of this benchmark."""
    return {
        "vs_bare_decode": lambda: vs_bare_decode(quick),
        "raw_dx_vs_bare_decode": lambda: raw_dx_vs_bare_decode(quick),
        "decode_vs_pydicom": lambda: decode_vs_pydicom(quick),
        "vs_monai": lambda: vs_monai(quick),
    }


def vs_bare_decode(quick: bool) -> Measure:
    """The whole preparation against imagecodecs decoding the same frame to an array, worst compressed codec."""
    return worst("vs_bare_decode", [_against_bare(syntax, 0.85, quick) for syntax in COMPRESSED])


def raw_dx_vs_bare_decode(quick: bool) -> Measure:
    """The same for uncompressed pixels, whose bare decode is one copy."""
    measure = _against_bare("explicit", 0.45, quick)
    return Measure("raw_dx_vs_bare_decode", measure.value, 0.45, "higher", measure.note, measure.low, measure.high)


def decode_vs_pydicom(quick: bool) -> Measure:
    """Our decoding against what pydicom does by itself with its fastest other plug-in, worst codec; results must be equal."""
    return worst("decode_vs_pydicom", [_against_pydicom(syntax, quick) for syntax in ("jpeg-lossless", "jpeg-baseline")])


def vs_monai(quick: bool) -> Measure:
    """The whole preparation against MONAI's LoadImage, scaling and anti-aliased Resize, worst codec."""
    from monai.transforms import Compose, EnsureChannelFirst, LoadImage, Resize, ScaleIntensity

    from medclassify.data import prepare_image

    size = 224
    chain = Compose(
        [
            LoadImage(reader="PydicomReader", image_only=True),
            EnsureChannelFirst(),
            ScaleIntensity(),
            Resize((size, size), mode="bilinear", anti_aliasing=True),
        ]
    )
    measures = []
    with tempfile.TemporaryDirectory() as folder:
        for syntax in ("explicit", "jpeg-ls", "jpeg2000"):
            path = radiograph(Path(folder), syntax, quick)
            try:
                chain(path)
            except Exception as error:  # what MONAI raises depends on pydicom's plug-ins
                print(f"  vs_monai: {syntax} left out, MONAI cannot read it here ({' '.join(str(error).split())[:80]})")
                continue
            note = f"{syntax}, {_shape(quick)}, to {size} × {size}"
            measures.append(
                speed_ratio(
                    syntax,
                    lambda path=path: prepare_image(path, _preprocessing(size)),
                    lambda path=path: chain(path),
                    names=("prepare_image", "MONAI"),
                    goal=2.5,
                    rounds=_rounds(quick),
                    note=note,
                )
            )
    return worst("vs_monai", measures)


def _against_bare(syntax: str, goal: float, quick: bool) -> Measure:
    from medclassify.data import prepare_image

    with tempfile.TemporaryDirectory() as folder:
        path = radiograph(Path(folder), syntax, quick)
        decode = bare_decoder(syntax, path)
        return speed_ratio(
            syntax,
            lambda: prepare_image(path, _preprocessing(224)),
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
        others = [name for name in get_decoder(uid).available_plugins if name != "imagecodecs"]
        if not others:
            raise NotMeasurableError(f"pydicom by itself cannot decode {syntax} here: pip install python-gdcm")

        def pydicom_alone() -> NDArray[Any]:
            return pixel_array(path, decoding_plugin=others[0])

        ours = read_image(path, window="none").pixels
        theirs = pydicom_alone()
        if syntax != "jpeg-baseline" and not np.array_equal(ours, theirs):
            raise NotMeasurableError(
                f"{syntax}: our pixels differ from pydicom's with {others[0]}; a faster wrong answer is none"
            )
        return speed_ratio(
            syntax,
            lambda: read_image(path, window="none"),
            pydicom_alone,
            names=("read_image", f"pydicom with {others[0]}"),
            goal=2.0,
            rounds=_rounds(quick),
            note=f"{syntax}, {_shape(quick)}",
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

    shape = (1250, 1024) if quick else (2500, 2048)
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


def _preprocessing(size: int) -> Preprocessing:
    from medclassify.records import Preprocessing

    return Preprocessing(size, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), interpolation="bicubic", window="voi")


def _rounds(quick: bool) -> int:
    return 3 if quick else 9


def _shape(quick: bool) -> str:
    return "1250 × 1024" if quick else "2500 × 2048"
