"""Names of facts as readers know them: a report shows no program's keys."""

_WORDS = {
    "allow_leakage": "Leakage between splits accepted",
    "auroc": "AUROC",
    "chosen_by": "Epoch chosen by",
    "cpu": "CPU",
    "config_sha256": "Config (SHA-256)",
    "created": "Made",
    "cuda": "CUDA",
    "data_sha256": "Data (SHA-256)",
    "decisions_sha256": "Decisions: calibrators, thresholds, sets (SHA-256)",
    "excluded_from_this_audit": "Patients left out of this audit on request",
    "excluded_on_request": "Patients left out on request",
    "git_commit": "Commit of the program",
    "gpu": "GPU",
    "head_alone_tune_auroc": "AUROC on tune with the head alone trained",
    "image_size": "Image size (pixels)",
    "kept_epoch": "Epoch kept",
    "loaded": "Backbone tensors loaded",
    "memory_gib": "memory (GiB)",
    "model_sha256": "Model (SHA-256)",
    "parameters": "Parameters (count)",
    "recipe": "How the weights were learnt",
    "seed": "Random seed",
    "sha256": "SHA-256",
    "share_loaded": "Share of the backbone loaded (0–1)",
    "total": "Backbone tensors in all",
    "tune_auroc": "AUROC on tune",
    "tune_loss": "loss on tune",
    "train_loss": "loss on train",
    "versions": "Version of",
    "weights_sha256": "Weights (SHA-256)",
}


def said(name: tuple[str, ...]) -> str:
    """A nested key in words: ``("versions", "torch")`` as ``Version of torch``, ``("kept_epoch",)`` as ``Epoch kept``."""
    first, *rest = (_WORDS.get(key, key.replace("_", " ")) for key in name)
    text = " ".join([first, *rest]) if first.endswith(" of") else ", ".join([first, *rest])
    return text[:1].upper() + text[1:]
