"""Saliency maps, in the image's own geometry; whether they depend on what the network learnt; and what they point at."""

from medclassify.explain.faithfulness import Faithfulness, Gain, faithfulness
from medclassify.explain.geometry import to_image_geometry
from medclassify.explain.label_control import label_resemblance, train_on_shuffled_labels
from medclassify.explain.localisation import RegionScore, region_of_boxes, score_region, uniform_chance
from medclassify.explain.localisation_table import ScoredRegion, localisation_table
from medclassify.explain.methods import METHODS, Method, saliency_method
from medclassify.explain.methods.grad_cam import class_activation_maps
from medclassify.explain.neighbours import Neighbours, nearest_neighbours
from medclassify.explain.randomisation import Resemblance, cascading_randomisation
from medclassify.explain.scale import saliency_limit
from medclassify.explain.shortcut_table import WatchedMap, shortcut_table, worst_cases
from medclassify.explain.shortcuts import Zones, find_zones, zone_shares
from medclassify.explain.verdict import SanityVerdict

__all__ = [
    "METHODS",
    "Faithfulness",
    "Gain",
    "Method",
    "Neighbours",
    "RegionScore",
    "Resemblance",
    "SanityVerdict",
    "ScoredRegion",
    "WatchedMap",
    "Zones",
    "cascading_randomisation",
    "class_activation_maps",
    "faithfulness",
    "find_zones",
    "label_resemblance",
    "localisation_table",
    "nearest_neighbours",
    "region_of_boxes",
    "saliency_limit",
    "saliency_method",
    "score_region",
    "shortcut_table",
    "to_image_geometry",
    "train_on_shuffled_labels",
    "uniform_chance",
    "worst_cases",
    "zone_shares",
]
