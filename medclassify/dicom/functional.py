"""What an enhanced multi-frame object says of each frame: its functional groups (PS3.3 C.7.6.16).

Rescale, window and spacing stand there instead of at the top: in the shared group where they are the same for all frames,
else in the frame's own. They are laid over the top-level elements, so that the pixel path need not know the difference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from medclassify.dicom import tags
from medclassify.dicom.elements import Element, Parsed, tag_name
from medclassify.dicom.quiet import pydicom_warnings
from medclassify.errors import DecodeError

_PER_FRAME_GROUPS = 0x52009230
_MACROS = (0x00289145, 0x00289132, 0x00289110)  # Pixel Value Transformation, Frame VOI LUT, Pixel Measures
_TAKEN = frozenset(
    {
        tags.RESCALE_INTERCEPT,
        tags.RESCALE_SLOPE,
        tags.RESCALE_TYPE,
        tags.WINDOW_CENTER,
        tags.WINDOW_WIDTH,
        tags.VOI_LUT_FUNCTION,
        tags.PIXEL_SPACING,
    }
)


@dataclass(frozen=True, slots=True)
class FunctionalGroups:
    """The elements of the shared group, and of each frame's own."""

    shared: Mapping[int, Element]
    own: Sequence[Mapping[int, Element]]

    def over(self, parsed: Parsed, frame: int) -> Parsed:
        """The file as one frame of it sees it.

        Raises:
            DecodeError: There are groups, but none for this frame.
        """
        if self.own and frame >= len(self.own):
            raise DecodeError(
                f"{parsed.path}: {tag_name(_PER_FRAME_GROUPS)} describes {len(self.own)} frames, frame {frame} is not among "
                "them. Export the series again."
            )
        own = self.own[frame] if self.own else {}
        return replace(parsed, elements={**parsed.elements, **self.shared, **own})


def read_groups(handle: BinaryIO, parsed: Parsed) -> FunctionalGroups | None:
    """Reads the functional groups; None where the object has none.

    Raises:
        DecodeError: They are damaged.
    """
    if tags.SHARED_FUNCTIONAL_GROUPS not in parsed.sequences:
        return None
    handle.seek(0)
    wanted = [tags.SHARED_FUNCTIONAL_GROUPS, _PER_FRAME_GROUPS]
    try:
        with pydicom_warnings("ignore"):
            dataset = dcmread(handle, stop_before_pixels=True, force=True, specific_tags=wanted)
            shared, own = ([_elements(item) for item in dataset[tag].value] if tag in dataset else [] for tag in wanted)
    except Exception as error:  # pydicom raises nearly everything on damaged files; its message may quote the header
        raise DecodeError(
            f"{parsed.path}: the functional groups are damaged ({type(error).__name__}). Export the series again."
        ) from error
    return FunctionalGroups(shared[0] if shared else {}, own)


def _elements(group: Dataset) -> dict[int, Element]:
    elements = {}
    for macro in _MACROS:
        for item in group[macro].value[:1] if macro in group else ():
            for tag in _TAKEN.intersection(int(tag) for tag in item.keys()):  # noqa: SIM118 — iterating would convert values
                raw = item.get_item(tag)
                if isinstance(raw, RawDataElement):
                    elements[tag] = Element(raw.VR or "", bytes(raw.value or b""))
    return elements
