"""Decodes every image once into a prepared store, and serves it in batches: MONAI transforms, a Lightning data module."""

from medclassify.data.dataset import EpochShuffle, PreparedDataset
from medclassify.data.module import PreparedDataModule
from medclassify.data.prepare import PreparedImage, prepare_image
from medclassify.data.reader import DicomReader
from medclassify.data.store import PreparedStore, prepare_store
from medclassify.data.transforms import RandAffineBatch, RandIntensityBatch, augmentation, to_network_input

__all__ = [
    "DicomReader",
    "EpochShuffle",
    "PreparedDataModule",
    "PreparedDataset",
    "PreparedImage",
    "PreparedStore",
    "RandAffineBatch",
    "RandIntensityBatch",
    "augmentation",
    "prepare_image",
    "prepare_store",
    "to_network_input",
]
