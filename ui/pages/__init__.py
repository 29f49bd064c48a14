"""The markup, styles and scripts of the pages, as files."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from databits.visible import visible

FOLDER = Path(__file__).parent


def _shown(value: object) -> object:
    """Text with what does not show spelled out; markup of another template has been through this."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


# Everything a page shows may be data, so every value is escaped, whatever the file is called.
_templates = Environment(
    loader=FileSystemLoader(FOLDER),
    autoescape=True,
    finalize=_shown,
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
