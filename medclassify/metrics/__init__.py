"""Statistics on arrays: every number with an interval, its method, and whether it may be believed."""

from medclassify.metrics.agreement import cohen_kappa, fleiss_kappa, gwet_ac1
from medclassify.metrics.auprc import auprc, auprc_cells, auprc_from
from medclassify.metrics.auroc import auroc, auroc_covariance
from medclassify.metrics.bootstrap import Statistic, draw_patients, percentiles, replicate, replicate_each, replicate_ratios
from medclassify.metrics.borkan import cross_aurocs
from medclassify.metrics.brier import BrierParts, brier, brier_parts
from medclassify.metrics.cells import MIN_CELL, MIN_DENOMINATOR, STABLE_CELL
from medclassify.metrics.checks import labelled, patient_codes
from medclassify.metrics.curves import CorpCurve, ReliabilityBins, RocPoints, corp_curve, reliability_bins, roc_curve_points
from medclassify.metrics.ece import debiased_calibration_error, ece
from medclassify.metrics.equalised_odds import equalised_odds_difference
from medclassify.metrics.gap import Gap
from medclassify.metrics.hanley_mcneil import expected_auroc_interval
from medclassify.metrics.logistic import MIN_SLOPE_CELL, calibration_intercept, calibration_slope
from medclassify.metrics.multiclass import hand_till
from medclassify.metrics.multiplicity import SimultaneousIntervals, adjusted_p, max_t
from medclassify.metrics.net_benefit import DecisionCurve, decision_curve
from medclassify.metrics.newcombe import newcombe_interval, rate_gaps
from medclassify.metrics.observed_expected import oe_ratio
from medclassify.metrics.obuchowski_rockette import ReaderStudy, obuchowski_rockette, reader_study
from medclassify.metrics.paired import delong_paired
from medclassify.metrics.proportions import clopper_pearson, wilson
from medclassify.metrics.rates import RATES, rates
from medclassify.metrics.unpaired import auroc_gap, delong_unpaired
from medclassify.metrics.weighted import (
    StandardisedAuroc,
    WeightedAuroc,
    WeightedAveragePrecision,
    WeightedCounts,
    WeightedRanking,
)
from medclassify.metrics.worst_group import WorstGroup, worst_group_gap

__all__ = [
    "MIN_CELL",
    "MIN_DENOMINATOR",
    "MIN_SLOPE_CELL",
    "RATES",
    "STABLE_CELL",
    "BrierParts",
    "CorpCurve",
    "DecisionCurve",
    "Gap",
    "ReaderStudy",
    "ReliabilityBins",
    "RocPoints",
    "SimultaneousIntervals",
    "StandardisedAuroc",
    "Statistic",
    "WeightedAuroc",
    "WeightedAveragePrecision",
    "WeightedCounts",
    "WeightedRanking",
    "WorstGroup",
    "adjusted_p",
    "auprc",
    "auprc_cells",
    "auprc_from",
    "auroc",
    "auroc_covariance",
    "auroc_gap",
    "brier",
    "brier_parts",
    "calibration_intercept",
    "calibration_slope",
    "clopper_pearson",
    "cohen_kappa",
    "corp_curve",
    "cross_aurocs",
    "debiased_calibration_error",
    "decision_curve",
    "delong_paired",
    "delong_unpaired",
    "draw_patients",
    "ece",
    "equalised_odds_difference",
    "expected_auroc_interval",
    "fleiss_kappa",
    "gwet_ac1",
    "hand_till",
    "labelled",
    "max_t",
    "newcombe_interval",
    "obuchowski_rockette",
    "oe_ratio",
    "patient_codes",
    "percentiles",
    "rate_gaps",
    "rates",
    "reader_study",
    "reliability_bins",
    "replicate",
    "replicate_each",
    "replicate_ratios",
    "roc_curve_points",
    "wilson",
    "worst_group_gap",
]
