"""The verbs, one module each: what it takes, and the one workflow it calls."""

from medclassify.cli.verbs import (
    audit,
    compare,
    evaluate,
    explain,
    fit,
    gate,
    index,
    plan,
    predict,
    prepare,
    review,
    tune_hparams,
    verify,
)
from medclassify.cli.verbs.verb import Verb

VERBS = (
    index.VERB,
    plan.VERB,
    prepare.VERB,
    fit.VERB,
    tune_hparams.VERB,
    evaluate.VERB,
    predict.VERB,
    audit.VERB,
    explain.VERB,
    compare.VERB,
    gate.VERB,
    review.VERB,
    verify.VERB,
)

__all__ = ["VERBS", "Verb"]
