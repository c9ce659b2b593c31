"""The report: one self-contained page. `page.SECTIONS` lists its parts; each is a module here and a partial template."""

from medclassify.audit.report.model_card import model_card
from medclassify.audit.report.page import render_report

__all__ = ["model_card", "render_report"]
