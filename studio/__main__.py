"""`python -m studio` and `hearth`: open the studio."""

import sys


def main() -> int:
    """Run the studio until its window is closed; returns the exit status."""
    from studio.app import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
