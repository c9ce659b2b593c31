"""Renders the demonstration datasets as DICOM: chest radiographs by their physics, and CT examinations of head and chest."""

from medclassify.phantom.anatomy import Anatomy, draw_anatomy
from medclassify.phantom.ct import CtExam, draw_ct_patient
from medclassify.phantom.dataset import dataset_name, render_dataset
from medclassify.phantom.detector import Exposure
from medclassify.phantom.files import find_masks, mask_path
from medclassify.phantom.findings import FINDINGS, Lesion
from medclassify.phantom.kinds import kind_of
from medclassify.phantom.population import Exam, draw_patient
from medclassify.phantom.radiograph import Radiograph, Scene, render_radiograph
from medclassify.phantom.site import SITES, Site

__all__ = [
    "FINDINGS",
    "SITES",
    "Anatomy",
    "CtExam",
    "Exam",
    "Exposure",
    "Lesion",
    "Radiograph",
    "Scene",
    "Site",
    "dataset_name",
    "draw_anatomy",
    "draw_ct_patient",
    "draw_patient",
    "find_masks",
    "kind_of",
    "mask_path",
    "render_dataset",
    "render_radiograph",
]
