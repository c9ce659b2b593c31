"""Image files in and out: headers, pixels in known units, folders searched, images and maps written (pydicom only here)."""

from medclassify.dicom.bulk import read_header_batches
from medclassify.dicom.dicomdir import read_dicomdir
from medclassify.dicom.find import find_files, find_images
from medclassify.dicom.geometry import read_slice_geometry
from medclassify.dicom.header import read_header
from medclassify.dicom.image import read_frames, read_image
from medclassify.dicom.instance import NewInstance
from medclassify.dicom.saliency import SaliencyPicture, write_saliency
from medclassify.dicom.series import assemble_series
from medclassify.dicom.shrink import Shrunk, read_shrunk
from medclassify.dicom.view import read_view
from medclassify.dicom.volume import read_slices, read_volume
from medclassify.dicom.write import write_image
from medclassify.dicom.write_slice import NewSlice, write_slice

__all__ = [
    "NewInstance",
    "NewSlice",
    "SaliencyPicture",
    "Shrunk",
    "assemble_series",
    "find_files",
    "find_images",
    "read_dicomdir",
    "read_frames",
    "read_header",
    "read_header_batches",
    "read_image",
    "read_shrunk",
    "read_slice_geometry",
    "read_slices",
    "read_view",
    "read_volume",
    "write_image",
    "write_saliency",
    "write_slice",
]
