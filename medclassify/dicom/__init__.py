"""Image files in and out: headers, pixels in known units, folders searched, radiographs written (pydicom only here)."""

from medclassify.dicom.write import NewInstance, write_image

__all__ = ["NewInstance", "write_image"]
