"""What is found out once about a model and a saliency method: the scale of its maps, and whether they may be read."""

from collections.abc import Sequence
from typing import Any

from medclassify.explain import cascading_randomisation, saliency_limit
from medclassify.explain.randomisation import LARGEST_CORRELATION
from medclassify.workflows.explainer import Explainer

_REFERENCE_IMAGES, _SANITY_IMAGES = 256, 12
_COSTLY_REFERENCE, _COSTLY_SANITY = 16, 3


def reference_limits(explainer: Explainer, sample_ids: Sequence[str]) -> dict[str, float]:
    """The saliency at which an overlay is fully coloured, by finding, from up to 256 samples of the calibrate split."""
    count = _COSTLY_REFERENCE if explainer.method.costly else _REFERENCE_IMAGES
    limits = saliency_limit(explainer.maps(list(sample_ids)[:count]))
    return dict(zip(explainer.findings, map(float, limits), strict=True))


def check_sanity(explainer: Explainer, sample_ids: Sequence[str]) -> dict[str, Any]:
    """Runs cascading weight randomisation on a dozen samples."""
    count = _COSTLY_SANITY if explainer.method.costly else _SANITY_IMAGES
    images = next(explainer.inputs(list(sample_ids)[:count]))
    found = cascading_randomisation(explainer.scorer.bundle.network, images, range(len(explainer.findings)), explainer.method)
    return {
        "method": explainer.method.name,
        "stages": list(found.stages),
        "rank_correlation": list(found.rank_correlation),
        "ssim": list(found.ssim),
        "n_maps": found.n_maps,
        "rule": f"mean |rank correlation| with everything randomised must be at most {LARGEST_CORRELATION}",
        "passed": found.passed,
    }
