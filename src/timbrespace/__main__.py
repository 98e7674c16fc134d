"""`python -m timbrespace` is the command line, also where the script folder is not on the PATH."""

import sys

from timbrespace.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
