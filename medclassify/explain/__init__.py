"""Saliency maps, in the image's own geometry, and the checks that they depend on what the network learnt."""

from medclassify.explain.geometry import to_image_geometry
from medclassify.explain.methods import METHODS, Method, saliency_method
from medclassify.explain.methods.grad_cam import class_activation_maps
from medclassify.explain.randomisation import Resemblance, cascading_randomisation
from medclassify.explain.scale import saliency_limit

__all__ = [
    "METHODS",
    "Method",
    "Resemblance",
    "cascading_randomisation",
    "class_activation_maps",
    "saliency_limit",
    "saliency_method",
    "to_image_geometry",
]
