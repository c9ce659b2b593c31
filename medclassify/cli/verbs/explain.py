"""`medclassify explain`."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from medclassify.cli.verbs.arguments import exclude_patients_argument, run_argument, source_arguments
from medclassify.cli.verbs.verb import Verb
from medclassify.config.schema import SaliencyMethod


def _explain_arguments(parser: argparse.ArgumentParser) -> None:
    run_argument(parser)
    source_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder for overlays and raw maps")
    parser.add_argument("--finding", metavar="NAME", help="one finding; all when left out")
    parser.add_argument("--method", choices=get_args(SaliencyMethod), help="a saliency method; the run's own when left out")
    parser.add_argument(
        "--dicom", action="store_true", help="also as DICOM in the studies of the images, which name their patients (dicom/)"
    )
    exclude_patients_argument(parser)


def _explain(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    from medclassify.workflows import checks

    checks.require_finding(checks.finished_run(arguments.run), arguments.finding)
    checks.require_new_folder(arguments.out)
    checks.require_sources(arguments.sources)

    from medclassify.workflows.explain import explain

    done = explain(
        arguments.run,
        arguments.sources,
        arguments.out,
        arguments.finding,
        arguments.method,
        arguments.exclude_patients,
        arguments.dicom,
    )
    verdict = "passed" if done.passed else "FAILED - do not read these maps as evidence"
    print(f"explanation sanity check of this model by {done.method}: {verdict}")
    overlays = f"{done.maps} overlay{'' if done.maps == 1 else 's'} (.png) and raw map{'' if done.maps == 1 else 's'} (.npz)"
    print(f"wrote {overlays} to {arguments.out}, and files.csv (which file a sample is)")
    print(f"next: open {arguments.out}")


VERB = Verb(
    "explain",
    "saliency maps of images, as overlays and raw arrays",
    "Writes saliency overlays (.png) and raw maps (.npz) in each image's own rows and columns.",
    "medclassify explain runs/chest_xray-20260102T030405Z image.dcm --out maps --finding effusion",
    _explain_arguments,
    _explain,
)
