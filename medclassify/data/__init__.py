"""Decodes every image once into a prepared store, and serves it in batches: MONAI transforms, a Lightning data module.

The names are imported when they are first asked for (PEP 562): a process that only decodes never loads a network stack.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medclassify.data.dataset import EpochShuffle, PreparedDataset
    from medclassify.data.module import PreparedDataModule
    from medclassify.data.prepare import PreparedImage, prepare_image
    from medclassify.data.reader import DicomReader
    from medclassify.data.store import PreparedStore, open_store, prepare_store
    from medclassify.data.transforms import RandAffineBatch, RandIntensityBatch, RandNoiseBatch, augmentation, to_network_input

__all__ = [
    "DicomReader",
    "EpochShuffle",
    "PreparedDataModule",
    "PreparedDataset",
    "PreparedImage",
    "PreparedStore",
    "RandAffineBatch",
    "RandIntensityBatch",
    "RandNoiseBatch",
    "augmentation",
    "open_store",
    "prepare_image",
    "prepare_store",
    "to_network_input",
]

_MODULES = {
    "dataset": ("EpochShuffle", "PreparedDataset"),
    "module": ("PreparedDataModule",),
    "prepare": ("PreparedImage", "prepare_image"),
    "reader": ("DicomReader",),
    "store": ("PreparedStore", "open_store", "prepare_store"),
    "transforms": ("RandAffineBatch", "RandIntensityBatch", "RandNoiseBatch", "augmentation", "to_network_input"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
