"""Where the `databits` and `databits-workbench` commands begin.

Hosts start the MCP server in the folder of whatever project is open. When that folder is on
Python's path, as with `python -m` or a PYTHONPATH, a `mcp_server/`, `agent/` or `ui/` of the
project would be imported in place of ours; so ours are looked for beside this package alone.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

OURS = ("databits", "mcp_server", "agent", "ui", "evals", "prompts")
HERE = Path(__file__).resolve().parent.parent


class _BesideThis:
    """A finder that knows our top-level packages only, and finds them only here."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [str(HERE)], target) if name in OURS else None


def main() -> int:
    """Entry point of both commands; returns the exit code."""
    sys.meta_path.insert(0, _BesideThis)
    try:
        from ui.cli import main as run

        return run()
    except ImportError as error:
        taken = (error.name or "").partition(".")[0]
        if taken not in OURS:
            raise
        # Two distributions that brought a package of that name have overwritten each other's files.
        print(
            f"Not ready: the Python package `{taken}` in {HERE} is not, or not all, of Databits Workbench; another "
            "package that was installed there has the same name. Install it into an environment of its own, as "
            "`uvx databits-workbench mcp` does.",
            file=sys.stderr,
        )
        return 1


if __name__ == "__main__":
    sys.exit(main())
