"""The markup, styles and scripts of the pages, as files."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

FOLDER = Path(__file__).parent
# Everything a page shows may be data, so every value is escaped, whatever the file is called.
_templates = Environment(
    loader=FileSystemLoader(FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@cache
def asset(name: str) -> str:
    """A file as it is: it holds no data."""
    return (FOLDER / name).read_text(encoding="utf-8")


def render(name: str, /, **values: object) -> str:
    """A template with values, every one of them escaped."""
    return _templates.get_template(name).render(**values)
