"""A network and prepared images to logits and embeddings."""

from medclassify.inference.embeddings import stored_embeddings
from medclassify.inference.predict import embed, logits_of_embeddings, predict_logits

__all__ = ["embed", "logits_of_embeddings", "predict_logits", "stored_embeddings"]
