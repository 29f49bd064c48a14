"""Say before the tests what this machine lacks, what is skipped for it, and how to get it."""

import os
import shutil
import sys
from pathlib import Path

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")


def chromium() -> str | None:
    """A Chromium that browser tests can drive, or None."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM)), None)
    return found or (str(_MAC) if _MAC.exists() else None)


def postgres() -> Path | None:
    """The folder of a PostgreSQL server's programs, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def node_packages() -> bool:
    """Whether the packages of tests/node are there."""
    return (Path(__file__).parent / "node" / "node_modules" / ".ready").exists()


def main() -> int:
    """Print what is missing; under CI a missing thing is a failure."""
    missing = []
    if chromium() is None:
        missing.append(
            "Chromium: the browser tests are skipped. Debian and Ubuntu: sudo apt install chromium; "
            "macOS: brew install --cask chromium; elsewhere set CHROMIUM=/path/to/it."
        )
    if postgres() is None:
        missing.append(
            "PostgreSQL: its tests are skipped. Debian and Ubuntu: sudo apt install postgresql; "
            "macOS: brew install postgresql."
        )
    if not node_packages():
        missing.append(
            "Packages of tests/node: tests with other people's clients are skipped. "
            "`make test` installs them from the npm registry."
        )
    for line in missing:
        print(f"missing: {line}")
    return 1 if missing and os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(main())
