"""``python -m medclassify`` is the ``medclassify`` command."""

import sys

from medclassify.cli import main

sys.exit(main())
