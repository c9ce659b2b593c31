"""Fine-tuning: the head on frozen features first, then the whole network under Lightning."""

from medclassify.training.classifier import Classifier, class_weights
from medclassify.training.fit import TrainingResult, fine_tune
from medclassify.training.head import HeadProbe, fit_head

__all__ = ["Classifier", "HeadProbe", "TrainingResult", "class_weights", "fine_tune", "fit_head"]
