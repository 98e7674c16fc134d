"""`python -m timbrespace`: the command line, also if the folder of scripts is not on the PATH."""

import sys

from timbrespace.cli.entry import run

if __name__ == "__main__":
    sys.exit(run())
