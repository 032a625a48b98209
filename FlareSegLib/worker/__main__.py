"""``python -m FlareSegLib.worker [JOB.json]``; see `FlareSegLib.worker.protocol`."""

import sys

from .process import main

if __name__ == "__main__":
    sys.exit(main())
