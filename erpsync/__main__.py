"""``python -m erpsync`` is ``erpsync``."""

import sys

from erpsync.cli.main import main

sys.exit(main())
