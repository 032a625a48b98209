"""``python -m FlareSegLib.cli.train``: what torchrun starts, the same as ``flareseg train``."""

import sys

from .main import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
