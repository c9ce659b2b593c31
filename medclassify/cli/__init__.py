"""The command line: parse, call one workflow, print what it wrote, exit with 0, 1 or 2."""

from medclassify.cli.main import main

__all__ = ["main"]
