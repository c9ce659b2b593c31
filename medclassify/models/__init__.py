"""EfficientNets by name or coefficient, their weights, and the pickle-free bundle."""

from medclassify.models.attention import GatedAttention
from medclassify.models.bundle import ModelBundle, load_bundle, save_bundle, whole_state
from medclassify.models.factory import backbone_name, create_network, preprocessing_of
from medclassify.models.scaling import Scaling, scaling_of
from medclassify.models.weights import WeightsReport, load_weights, state_fingerprint

__all__ = [
    "GatedAttention",
    "ModelBundle",
    "Scaling",
    "WeightsReport",
    "backbone_name",
    "create_network",
    "load_bundle",
    "load_weights",
    "preprocessing_of",
    "save_bundle",
    "scaling_of",
    "state_fingerprint",
    "whole_state",
]
