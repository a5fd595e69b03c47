"""`python -m corefast.device`, also `corefast phone`."""

import sys

from corefast.device.app import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
