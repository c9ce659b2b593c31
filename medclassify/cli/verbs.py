"""The verbs: what each takes, and the one workflow it calls."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

# Written out, since reading it from the config would import that for every verb's help; a test compares the two.
_FORMATS = (
    "its layout: auto (by its columns, and printed), generic, nih, chexpert, mimic-cxr, rsna-pneumonia, rsna-ich, vindr-cxr, "
    "vindr-cxr-any, vindr-cxr-soft, siim or padchest (default: auto)"
)
Run = Callable[[argparse.Namespace, Sequence[str]], None]


@dataclass(frozen=True, slots=True)
class Verb:
    """One command.

    Attributes:
        name: The word.
        summary: One line for the list of verbs.
        description: What it does, for its own help.
        example: One worked example.
        add_arguments: Describes its arguments to a parser.
        run: Calls the workflow with the parsed arguments and the config overrides, and prints what it wrote.
        takes_overrides: ``--dotted.key value`` words may follow.
    """

    name: str
    summary: str
    description: str
    example: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Run
    takes_overrides: bool = False


def _sources(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="DICOM, PNG or JPEG files, folders, or one manifest")


def _run_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="a run directory, as `medclassify fit` printed it")


def _exclude_patients(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--exclude-patients",
        nargs="+",
        default=(),
        metavar="ID",
        help="patients who withdrew consent: ids, their hashes, or @FILE with one a line",
    )


def _index_arguments(parser: argparse.ArgumentParser) -> None:
    _sources(parser)
    parser.add_argument("--labels", required=True, metavar="FILE", help="the label table")
    parser.add_argument("--format", default="auto", metavar="NAME", help=_FORMATS)
    _exclude_patients(parser)
    parser.add_argument(
        "--deidentify", type=Path, metavar="DIR", help="also write de-identified copies and their manifest here"
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
        from medclassify.workflows.deidentify import require_new_folder

        require_new_folder(arguments.deidentify)
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


def _fit_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", nargs="?", type=Path, metavar="CONFIG", help="a YAML file, e.g. configs/chest_xray.yaml")
    parser.add_argument("--config", dest="config_option", type=Path, metavar="CONFIG", help="the same, as an option")
    parser.add_argument("--print_config", action="store_true", help="print the resolved config and stop")
    parser.add_argument("--ckpt_path", choices=["last"], help="go on with the unfinished run of this config")
    parser.add_argument(
        "--allow-leakage", metavar="REASON", help="go on although patients or images cross splits; printed in every report"
    )
    parser.add_argument("--help-config", action="store_true", help="print every config key with its meaning and stop")


def _fit(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    from medclassify.config import config_parser, config_to_yaml, find_config, load_config
    from medclassify.errors import ConfigError

    if arguments.help_config:
        config_parser().print_help()
        return
    path = arguments.config_option or arguments.config
    if path is None:
        raise ConfigError("fit needs a config, e.g. medclassify fit configs/chest_xray.yaml")
    if (found := find_config(path)) != path:
        print(f"config: no {path} here; taking the one shipped with medclassify")
        path = found
    if arguments.allow_leakage:
        overrides = [*overrides, "--data.allow_leakage", arguments.allow_leakage]
    if arguments.print_config:
        config = load_config(path, overrides)
        if config.data.exclude_patients:
            from medclassify.workflows.consent import without_ids

            config = without_ids(config)
        print(config_to_yaml(config), end="")
        return
    config = load_config(path, overrides)  # what was mistyped is told before seconds go into importing torch
    from medclassify.workflows.checks import require_data

    if arguments.ckpt_path is None:
        require_data(config.data)

    from medclassify.workflows.fit import fit
    from medclassify.workflows.summary import fit_summary

    fitted = fit(path, overrides, resume=arguments.ckpt_path == "last")
    print(fit_summary(fitted))


def _evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    _run_folder(parser)
    parser.add_argument(
        "--manifest", type=Path, metavar="FILE", help="score these samples; the run's own test split when left out"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: RUN-on-MANIFEST, beside the run")
    _exclude_patients(parser)


def _evaluate(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    from medclassify.workflows import checks

    checks.finished_run(arguments.run)
    checks.require_manifest(arguments.manifest)
    checks.require_new_folder(arguments.out or checks.default_folder(arguments.run, arguments.manifest))

    from medclassify.workflows.evaluate import evaluate
    from medclassify.workflows.summary import auroc_table

    result, out = evaluate(arguments.run, arguments.manifest, arguments.out, arguments.exclude_patients)
    print(auroc_table(result))
    print(f"wrote {out}/predictions.parquet and {out}/audit/report.html")
    print(f"next: open {out}/audit/report.html")


def _predict_arguments(parser: argparse.ArgumentParser) -> None:
    _run_folder(parser)
    _sources(parser)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("predictions.parquet"),
        metavar="FILE",
        help=".parquet or .csv (default: predictions.parquet)",
    )
    _exclude_patients(parser)


def _predict(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    from medclassify.workflows import checks

    checks.finished_run(arguments.run)
    checks.require_table_name(arguments.out)
    checks.require_sources(arguments.sources)

    from medclassify.workflows.predict import predict
    from medclassify.workflows.summary import prediction_lines

    result = predict(arguments.run, arguments.sources, arguments.out, arguments.exclude_patients)
    print(prediction_lines(result))
    files, left_out = result.out.with_suffix(".files.csv"), result.out.with_suffix(".exclusions.csv")
    print(f"wrote {result.out}, {files} (which file a sample is) and {left_out} ({len(result.exclusions)} left out)")
    print(f"next: medclassify explain {arguments.run} {' '.join(arguments.sources)} --out maps")


def _audit_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", type=Path, metavar="RUN", help="a run directory")
    parser.add_argument(
        "--predictions", type=Path, metavar="FILE", help="anyone's predictions table (.csv or .parquet) instead of a run"
    )
    parser.add_argument("--attributes", default="", metavar="A,B", help="its attribute columns, e.g. sex,age,site")
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: RUN-audit beside the run, or FILE-audit")
    _exclude_patients(parser)


def _audit(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    from medclassify.runs import RunLayout
    from medclassify.workflows import checks

    attributes = tuple(name.strip() for name in arguments.attributes.split(",") if name.strip())
    if arguments.run is None or arguments.predictions is None:
        checks.require_columns(attributes, RunLayout.open(arguments.run) if arguments.run else None, arguments.predictions)

    from medclassify.workflows.audit import audit
    from medclassify.workflows.summary import auroc_table

    result, out = audit(arguments.run, arguments.predictions, attributes, arguments.out, arguments.exclude_patients)
    print(auroc_table(result))
    print(f"wrote {out}/report.html, estimates.csv, gaps.csv and audit.json")
    print(f"next: open {out}/report.html")


def _explain_arguments(parser: argparse.ArgumentParser) -> None:
    _run_folder(parser)
    _sources(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder for overlays and raw maps")
    parser.add_argument("--finding", metavar="NAME", help="one finding; all when left out")
    _exclude_patients(parser)


def _explain(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    from medclassify.workflows import checks

    checks.require_finding(checks.finished_run(arguments.run), arguments.finding)
    checks.require_new_folder(arguments.out)
    checks.require_sources(arguments.sources)

    from medclassify.workflows.explain import explain

    count, sanity = explain(arguments.run, arguments.sources, arguments.out, arguments.finding, arguments.exclude_patients)
    print(f"explanation sanity check of this model: {'passed' if sanity else 'FAILED - do not read these maps as evidence'}")
    print(f"wrote {count} overlays (.png) and raw maps (.npz) to {arguments.out}, and files.csv (which file a sample is)")
    print(f"next: open {arguments.out}")


def _review_arguments(parser: argparse.ArgumentParser) -> None:
    _run_folder(parser)
    parser.add_argument("--port", type=int, default=8501, help="port on the loopback address (default: 8501)")
    _exclude_patients(parser)


def _review(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    from medclassify.workflows.review import review

    review(arguments.run, arguments.port, arguments.exclude_patients)


def _verify(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    from medclassify.workflows.verify import verify_run

    unchanged = verify_run(arguments.run)
    print(f"{arguments.run}: {unchanged} files are what the run wrote; nothing was changed, lost or added")
    print(f"next: medclassify review {arguments.run}")


VERBS = (
    Verb(
        "index",
        "read headers, join labels, write a manifest",
        "Reads all headers, joins the label table, and writes a manifest and the list of what was left out and why.",
        "medclassify index images/ --labels labels.csv --out manifest.parquet",
        _index_arguments,
        _index,
    ),
    Verb(
        "fit",
        "the main job: fine-tune, calibrate, test, explain, audit",
        "Index (if needed), split by patient, prepare, fine-tune, calibrate, evaluate on test, explain a sample, audit.\n"
        "Makes a run directory. Any config key may follow as --dotted.key value; --help-config lists them.",
        "medclassify fit configs/chest_xray.yaml --trainer.max_epochs 5",
        _fit_arguments,
        _fit,
        takes_overrides=True,
    ),
    Verb(
        "evaluate",
        "score and audit a manifest with a finished run",
        "Predicts and audits a labelled manifest, internal or external, with a finished run's frozen model and thresholds.",
        "medclassify evaluate runs/chest_xray-20260102T030405Z --manifest external.parquet",
        _evaluate_arguments,
        _evaluate,
    ),
    Verb(
        "predict",
        "score new images",
        "Scores DICOM, PNG or JPEG files, folders or a manifest with the calibrated model of a finished run.",
        "medclassify predict runs/chest_xray-20260102T030405Z new_images/ --out predictions.csv",
        _predict_arguments,
        _predict,
    ),
    Verb(
        "audit",
        "subgroup-bias report, from a run or anyone's predictions",
        "Writes the subgroup-bias report of a run, or of a predictions table made elsewhere.",
        "medclassify audit --predictions theirs.csv --attributes sex,age,site",
        _audit_arguments,
        _audit,
    ),
    Verb(
        "explain",
        "saliency maps of images, as overlays and raw arrays",
        "Writes Grad-CAM overlays (.png) and raw maps (.npz) in each image's own rows and columns.",
        "medclassify explain runs/chest_xray-20260102T030405Z image.dcm --out maps --finding effusion",
        _explain_arguments,
        _explain,
    ),
    Verb(
        "review",
        "open the review dashboard",
        "Starts the Streamlit review dashboard of a run on the loopback address.",
        "medclassify review runs/chest_xray-20260102T030405Z --port 8501",
        _review_arguments,
        _review,
    ),
    Verb(
        "verify",
        "check that a run is what was written",
        "Computes the hash of every file of a run again and says what was changed, lost or added.",
        "medclassify verify runs/chest_xray-20260102T030405Z",
        _run_folder,
        _verify,
    ),
)
