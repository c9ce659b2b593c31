"""Fine-tuning: which weights learn when, the head on frozen features first, then the network under Lightning."""

from medclassify.training.classifier import Classifier, class_weights
from medclassify.training.fit import TrainingResult, fine_tune
from medclassify.training.growth import Growth, growth_notes, require_growth
from medclassify.training.head import FINE_STRENGTHS, RARE, STRENGTHS, HeadProbe, ProbeTrial, fit_head, start_head
from medclassify.training.parameters import opening_line
from medclassify.training.ranks import LostRankError, Ranks, find_ranks
from medclassify.training.recipe import settle_recipe
from medclassify.training.series import AttentionFit, SeriesPart, fit_attention

__all__ = [
    "FINE_STRENGTHS",
    "RARE",
    "STRENGTHS",
    "AttentionFit",
    "Classifier",
    "Growth",
    "HeadProbe",
    "LostRankError",
    "ProbeTrial",
    "Ranks",
    "SeriesPart",
    "TrainingResult",
    "class_weights",
    "find_ranks",
    "fine_tune",
    "fit_attention",
    "fit_head",
    "growth_notes",
    "opening_line",
    "require_growth",
    "settle_recipe",
    "start_head",
]
