"""A network and prepared images to logits and embeddings."""

from medclassify.inference.embeddings import stored_embeddings
from medclassify.inference.predict import embed, logits_of_embeddings, predict_logits
from medclassify.inference.series import logits_of_series, weigh_slices

__all__ = ["embed", "logits_of_embeddings", "logits_of_series", "predict_logits", "stored_embeddings", "weigh_slices"]
