"""`medclassify index`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from medclassify.cli.verbs.arguments import exclude_patients_argument, source_arguments
from medclassify.cli.verbs.verb import Verb

# Written out, since reading it from the config would import that for every verb's help; a test compares the two.
_FORMATS = (
    "its layout: auto (by its columns, and printed), generic, nih, chexpert, mimic-cxr, rsna-pneumonia, rsna-ich, rsna-pe, "
    "vindr-cxr, vindr-cxr-any, vindr-cxr-soft, siim or padchest (default: auto)"
)


def _index_arguments(parser: argparse.ArgumentParser) -> None:
    source_arguments(parser)
    parser.add_argument("--labels", required=True, metavar="FILE", help="the label table")
    parser.add_argument("--format", default="auto", metavar="NAME", help=_FORMATS)
    exclude_patients_argument(parser)
    parser.add_argument(
        "--deidentify",
        type=Path,
        metavar="DIR",
        help="also write de-identified copies and their manifest here; the same command goes on after a stop",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("manifest.parquet"),
        metavar="FILE",
        help=".parquet or .csv (default: manifest.parquet)",
    )


def _index(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    from medclassify.workflows.checks import require_sources, require_table_name

    require_table_name(arguments.out)
    require_sources(arguments.sources)

    from medclassify.workflows.consent import hashed, patient_hasher
    from medclassify.workflows.index import index

    if arguments.deidentify:
        from medclassify.workflows.copy_journal import require_place_for_copies

        require_place_for_copies(arguments.deidentify, patient_hasher().fingerprint)
    indexed = index(
        arguments.sources,
        arguments.labels,
        out=arguments.out,
        label_format=arguments.format,
        exclude_patients=hashed(arguments.exclude_patients, patient_hasher()),
    )
    exclusions = arguments.out.with_suffix(".exclusions.csv")
    print(f"wrote {arguments.out} ({len(indexed.manifest)} samples) and {exclusions} ({len(indexed.exclusions)} left out)")
    source = arguments.out
    if arguments.deidentify:
        from medclassify.workflows.deidentify import deidentify

        copies = deidentify(indexed.manifest, arguments.deidentify, indexed.boxes)
        source = copies.manifest
        print(f"wrote {copies.count} de-identified copies and {source}, and {copies.exclusions} ({copies.left_out} not copied)")
    config = "nih_chestxray14" if indexed.manifest.label_format == "nih" else "generic"
    print(f"next: medclassify fit configs/{config}.yaml --data.source {source}")


VERB = Verb(
    "index",
    "read headers, join labels, write a manifest",
    "Reads all headers, joins the label table, and writes a manifest and the list of what was left out and why.",
    "medclassify index images/ --labels labels.csv --out manifest.parquet",
    _index_arguments,
    _index,
)
