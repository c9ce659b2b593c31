"""A network and prepared images to logits and embeddings."""

from medclassify.inference.predict import embed, predict_logits

__all__ = ["embed", "predict_logits"]
