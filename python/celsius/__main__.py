"""`python -m celsius` is the command `celsius`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn


def command() -> str:
    """Returns the path of the command that belongs to this package.

    Raises FileNotFoundError.
    """
    path = Path(__file__).parent / "bin" / "celsius"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing; install the package again")
    return str(path)


def main() -> NoReturn:
    """Replaces this process by the command, with the same arguments."""
    try:
        path = command()
        os.execv(path, ["celsius", *sys.argv[1:]])
    except OSError as failed:
        print(f"celsius: error: {failed}", file=sys.stderr)
    sys.exit(8)


if __name__ == "__main__":
    main()
