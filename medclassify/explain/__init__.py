"""Saliency maps, in the image's own geometry, and the check that they depend on what the network learnt."""

from medclassify.explain.cam import class_activation_maps, saliency_limit
from medclassify.explain.geometry import to_image_geometry
from medclassify.explain.sanity import SanityResult, cascading_randomisation

__all__ = ["SanityResult", "cascading_randomisation", "class_activation_maps", "saliency_limit", "to_image_geometry"]
