"""Clients of the API that others wrote, against the whole system: only when asked for, `make clients`."""

import os

collect_ignore_glob = [] if os.environ.get("COREFAST_CLIENTS") else ["test_*.py"]
