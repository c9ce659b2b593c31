"""Renders CT examinations of the head and of the chest as DICOM series, in Hounsfield units, with findings in space."""

from medclassify.phantom.ct.exams import CtExam, draw_ct_patient
from medclassify.phantom.ct.render import RenderedSlice, render_slice

__all__ = ["CtExam", "RenderedSlice", "draw_ct_patient", "render_slice"]
