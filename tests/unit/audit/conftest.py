"""Predictions whose truth is known, because it was planted."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

Make = Callable[..., pd.DataFrame]

FINDINGS = ("Effusion", "Nodule")


@pytest.fixture(scope="session")
def make_predictions() -> Make:
    """Builds a predictions table in the contract's form.

    Separation 2 gives an AUROC of about .92. ``weaker_in`` makes Effusion hard to see in one sex; ``goes_with_view`` makes
    Effusion frequent in AP images and the score rise with the view; ``images`` is the number of images a patient.
    """

    def make(
        n: int = 600,
        *,
        findings: tuple[str, ...] = FINDINGS,
        weaker_in: str | None = None,
        goes_with_view: bool = False,
        images: int = 1,
        prevalence: float = 0.3,
        separation: float = 2.0,
        seed: int = 0,
    ) -> pd.DataFrame:
        random = np.random.default_rng(seed)
        patient = np.arange(n) // images
        sex = random.choice(["F", "M"], patient.max() + 1)[patient].astype(object)
        view = random.choice(["AP", "PA"], n).astype(object)
        tables = []
        for finding in findings:
            planted = finding == findings[0]
            share = np.where(view == "AP", 0.6, 0.05) if goes_with_view and planted else np.full(n, prevalence)
            present = random.random(n) < share
            strength = np.where(sex == weaker_in, 0.3, separation) if weaker_in and planted else separation
            logit = random.normal(size=n) + strength * present - 2
            if goes_with_view and planted:
                logit = logit + 1.5 * (view == "AP")
            probability = 1 / (1 + np.exp(-logit))
            tables.append(
                pd.DataFrame(
                    {
                        "sample_id": [f"s{number:05d}" for number in range(n)],
                        "patient_id": [f"p{number:05d}" for number in patient],
                        "finding": finding,
                        "target": pd.array(present.astype(int), dtype="Int8"),
                        "logit": logit,
                        "prob_raw": probability,
                        "prob_cal": probability,
                        "threshold": 0.3,
                        "decision": probability >= 0.3,
                        "split": "test",
                        "sex": sex,
                        "view": view,
                    }
                )
            )
        return pd.concat(tables, ignore_index=True)

    return make
