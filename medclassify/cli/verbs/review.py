"""`medclassify review`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from medclassify.cli.verbs.arguments import exclude_patients_argument, run_argument
from medclassify.cli.verbs.verb import Verb


def _review_arguments(parser: argparse.ArgumentParser) -> None:
    run_argument(parser)
    parser.add_argument("--port", type=int, help="port (default: review.port of the run's config, 8501)")
    parser.add_argument(
        "--address",
        default="127.0.0.1",
        help="where to listen; another than loopback only where people sign in (default: 127.0.0.1)",
    )
    parser.add_argument(
        "--store", metavar="URL", help="where readings are kept: a SQLite file or postgresql+psycopg://user@host/database"
    )
    parser.add_argument("--show-phi", action="store_true", help="the page may show who a patient is, and logs each time")
    exclude_patients_argument(parser)
    owner = parser.add_argument_group(
        "instead of starting the page (docs/review-administration.md)"
    ).add_mutually_exclusive_group()
    owner.add_argument("--verify", action="store_true", help="check the hash chain of the readings")
    owner.add_argument("--export", type=Path, metavar="FILE", help="write all readings, as .csv or .parquet")
    owner.add_argument("--labels", type=Path, metavar="FILE", help="write what was read as a label file for index, .csv")
    owner.add_argument("--add-account", metavar="NAME", help="make an account; the password is asked for, or read from a pipe")
    owner.add_argument("--set-password", metavar="NAME", help="give an account a new password")
    owner.add_argument("--close-account", metavar="NAME", help="let an account sign in no more; its readings stay")
    owner.add_argument("--assign", nargs="+", metavar="NAME", help="share the test split out to these readers")
    parser.add_argument(
        "--roles",
        nargs="+",
        choices=["reader", "adjudicator", "auditor", "admin"],
        default=["reader"],
        help="of --add-account (default: reader)",
    )
    parser.add_argument("--oidc", metavar="IDENTITY", help="of --add-account: a verified e-mail or sub, instead of a password")
    parser.add_argument("--per-sample", type=int, default=2, metavar="N", help="of --assign: readers a sample (default: 2)")


def _review(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    run, store = arguments.run, arguments.store
    if arguments.verify:
        from medclassify.workflows.review_store import verify_readings

        verify_readings(run, store)
    elif arguments.export:
        from medclassify.workflows.review_store import export_readings

        export_readings(run, store, arguments.export)
    elif arguments.labels:
        from medclassify.workflows.review_store import export_labels

        export_labels(run, store, arguments.labels)
    elif arguments.add_account:
        from medclassify.workflows.review_store import add_account

        add_account(run, store, arguments.add_account, arguments.roles, arguments.oidc)
    elif arguments.set_password:
        from medclassify.workflows.review_store import set_password

        set_password(run, store, arguments.set_password)
    elif arguments.close_account:
        from medclassify.workflows.review_store import close_account

        close_account(run, store, arguments.close_account)
    elif arguments.assign:
        from medclassify.workflows.review_store import assign_readers

        assign_readers(run, store, arguments.assign, arguments.per_sample)
    else:
        from medclassify.workflows.review import review

        review(
            run,
            arguments.port,
            arguments.exclude_patients,
            address=arguments.address,
            store=store,
            show_phi=arguments.show_phi,
        )


VERB = Verb(
    "review",
    "open the review dashboard",
    "Starts the Streamlit review dashboard of a run on the loopback address, or does one of the things that its owner does.",
    "medclassify review runs/chest_xray-20260102T030405Z --port 8501",
    _review_arguments,
    _review,
)
