"""`python -m corefast`."""

import sys

from corefast.cli import main

sys.exit(main())
