"""What may stay in a de-identified dataset, element by element, nested sequences included.

The rules are those of the Basic Application Level Confidentiality Profile (PS3.15 annex E, table E.1-1, edition 2026c), which
the library dicom-anonymizer keeps as data. The table names attributes; what it does not name is judged here by its VR, and
text, binary data, private and unknown elements that are not on a short list go: a hospital writes names where it likes.
"""

import re
from collections.abc import Callable
from enum import Enum, auto
from functools import cache

from pydicom.charset import python_encoding
from pydicom.datadict import dictionary_has_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from medclassify.dicom.tags import SOP_CLASS_UID, SPECIFIC_CHARACTER_SET

TABLE_EDITION = "2026c"
_REMOVED = "REMOVED"
_DEEPEST = 16
_REGISTERED_UIDS = "1.2.840.10008."
_UID = re.compile(r"[0-9.]{1,64}")
_CODE_STRING = re.compile(r"[A-Za-z0-9 _]{0,16}")
_NUMBER = re.compile(r" *[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)? *|")
_TEXT_VRS = frozenset({"AE", "AS", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UR", "UT"})
_NUMBER_VRS = frozenset({"AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"})
# In the table "X unless Z or D is required"; no image object requires them, and an empty one is not allowed.
_OPTIONAL_SEQUENCES = (0x00080082, 0x00081110, 0x00081111)
_DUMMY = {"DA": "19000101", "DT": "19000101000000", "TM": "000000", "AS": "000Y", "DS": "0", "IS": "0"}

_MANUFACTURER, _MODEL = 0x00080070, 0x00081090
_CODE_VALUE, _CODE_SCHEME, _CODE_VERSION, _CODE_MEANING = 0x00080100, 0x00080102, 0x00080103, 0x00080104
_CONVOLUTION_KERNEL, _RESCALE_TYPE, _MODALITY_LUT_TYPE = 0x00181210, 0x00281054, 0x00283004
_CODES = frozenset({_CODE_VALUE, _CODE_SCHEME, _CODE_VERSION, _CODE_MEANING})
KEPT_TEXT = frozenset({_MANUFACTURER, _MODEL, _CONVOLUTION_KERNEL, _RESCALE_TYPE, _MODALITY_LUT_TYPE})
"""Text that stays as it is: what made the image, and what its values mean."""
_SCHEMES = frozenset(
    {"DCM", "SCT", "SRT", "SNM3", "LN", "UCUM", "RADLEX", "FMA", "ICD10", "I10", "I9", "ICDO3", "BI", "RADELEMENT"}
)
"""Coding schemes whose meanings are published (PS3.16 chapter 8); a private scheme's meaning is free text."""
_KEPT_BINARY = frozenset(
    {*range(0x00281201, 0x00281205), *range(0x00281221, 0x00281225), 0x00283006, 0x7FE00008, 0x7FE00009, 0x7FE00010}
)
"""Palettes, look-up tables and pixels."""


class _Action(Enum):
    REMOVE = auto()
    EMPTY = auto()
    DUMMY = auto()
    NEW_UID = auto()


_CLASSIC = {
    "X_TAGS": _Action.REMOVE,
    "Z_TAGS": _Action.EMPTY,
    "X_Z_TAGS": _Action.EMPTY,
    "D_TAGS": _Action.DUMMY,
    "U_TAGS": _Action.NEW_UID,
    "X_Z_U_STAR_TAGS": _Action.NEW_UID,
    "Z_D_TAGS": _Action.EMPTY,
    "X_Z_D_TAGS": _Action.EMPTY,
    "X_D_TAGS": _Action.REMOVE,
}
# Enhanced multi-frame objects demand values (type 1) where classic ones do not; there, of "X, Z or D", only D conforms.
_ENHANCED = {**_CLASSIC, "Z_D_TAGS": _Action.DUMMY, "X_Z_D_TAGS": _Action.DUMMY, "X_D_TAGS": _Action.DUMMY}


class Confidentiality:
    """The profile, for the datasets of one image.

    Args:
        new_uid: The new UID of an old one; the same for the same, so that references stay whole.
        enhanced: The image is an enhanced multi-frame object.
    """

    def __init__(self, new_uid: Callable[[str], str], *, enhanced: bool) -> None:
        self._new_uid = new_uid
        self._enhanced = enhanced
        self._actions = _table(enhanced=enhanced)

    def apply(self, dataset: Dataset, depth: int = 0) -> None:
        """Cleans a dataset in place, with all that is nested in it."""
        local_codes = _has_local_code(dataset)
        for tag in list(dataset.keys()):
            if not _is_public(tag) or depth > _DEEPEST:
                del dataset[tag]
                continue
            try:
                element = dataset[tag]
                kept = self._clean(element, local_codes=local_codes, depth=depth)
            except Exception:  # a value that its VR does not allow can be anything: pydicom raises nearly everything
                kept = False
            if not kept:
                del dataset[tag]

    def _clean(self, element: DataElement, *, local_codes: bool, depth: int) -> bool:
        """Cleans one element; False where it has to go."""
        action = self._actions.get(int(element.tag))
        if action is _Action.REMOVE:
            return False
        if element.VR == "SQ":
            if action in (_Action.EMPTY, _Action.DUMMY):
                element.value = Sequence()
            for item in element.value:
                self.apply(item, depth + 1)
            return True
        if action is _Action.EMPTY:
            element.clear()
        elif action is _Action.DUMMY:
            return self._replace(element)
        elif element.VR == "UI":
            _each(element, self._uid_of(int(element.tag)))
        elif element.VR in _TEXT_VRS:
            self._clean_text(element, local_codes=local_codes)
        elif element.VR == "CS":
            _clean_code_string(element)
        elif element.VR in ("DS", "IS"):
            if not all(_NUMBER.fullmatch(str(value)) for value in _values(element)):
                element.clear()
        else:
            return element.VR in _NUMBER_VRS or int(element.tag) in _KEPT_BINARY
        return True

    def _clean_text(self, element: DataElement, *, local_codes: bool) -> None:
        tag = int(element.tag)
        if tag in KEPT_TEXT or (tag in _CODES and not local_codes):
            return
        if tag in _CODES:
            element.value = f"99{_REMOVED}" if tag == _CODE_SCHEME else _REMOVED
        elif self._enhanced:
            self._replace(element)
        else:
            element.clear()

    def _replace(self, element: DataElement) -> bool:
        """Puts a value that says nothing in the place of one; False where there is none for the VR."""
        vr = str(element.VR)
        if vr == "UI":
            _each(element, self._new_uid)
        elif vr in _NUMBER_VRS:
            element.value = 0
        elif vr in _TEXT_VRS or vr in ("CS", "DS", "IS"):
            element.value = _DUMMY.get(vr, _REMOVED)
        else:
            return False
        return True

    def _uid_of(self, tag: int) -> Callable[[str], str]:
        """UIDs that DICOM registers name kinds of things and stay; all others name a thing."""

        def new(old: str) -> str:
            stays = old.startswith(_REGISTERED_UIDS) or tag == SOP_CLASS_UID
            return old if not old or (stays and _UID.fullmatch(old)) else self._new_uid(old)

        return new


@cache
def _table(*, enhanced: bool) -> dict[int, _Action]:
    from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector

    listed = dicom_anonymization_database_selector(f"dicomfields_{TABLE_EDITION}")
    codes = _ENHANCED if enhanced else _CLASSIC
    actions = {
        row[0] << 16 | row[1]: action
        for code, action in codes.items()
        for row in listed[code]
        if len(row) == 2  # rows with a mask are curves and overlays: see _is_public
    }
    return {**actions, **dict.fromkeys(_OPTIONAL_SEQUENCES, _Action.REMOVE)}


def _is_public(tag: BaseTag) -> bool:
    """A standard attribute that is neither private, nor of a curve or overlay (50xx, 60xx), nor a group length."""
    return not tag.is_private and tag.group & 0xFF00 not in (0x5000, 0x6000) and tag.element != 0 and dictionary_has_tag(tag)


def _values(element: DataElement) -> list[object]:
    value = element.value
    if value is None or value == "":
        return []
    return [value] if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__") else list(value)


def _each(element: DataElement, change: Callable[[str], str]) -> None:
    changed = [change(str(value)) for value in _values(element)]
    element.value = changed[0] if len(changed) == 1 else changed


def _clean_code_string(element: DataElement) -> None:
    if int(element.tag) == SPECIFIC_CHARACTER_SET:
        if not all(str(value) in python_encoding for value in _values(element)):
            element.clear()
    elif not all(_CODE_STRING.fullmatch(str(value)) for value in _values(element)):
        _each(element, lambda value: value if _CODE_STRING.fullmatch(value) else "")


def _has_local_code(dataset: Dataset) -> bool:
    """A code of a private scheme, or of none."""
    try:
        return str(dataset.get(_CODE_SCHEME, None).value).strip().upper() not in _SCHEMES  # type: ignore[union-attr]
    except Exception:  # no scheme, or one that cannot be read
        return True
