"""A Databit's body: what it holds, how it is rendered, how two of them compare.

A version's body is immutable. `bump` says how far a new body departs from the old one and `diff`
says where; `render` only substitutes, so no word of a record's text is ever evaluated.
"""

from databits.template.body import LabelSpec, TemplateBody, default_body
from databits.template.comparison import (
    Bump,
    GuidelineChange,
    SchemaChange,
    TemplateDiff,
    bump,
    diff,
    next_version,
)
from databits.template.rendering import Example, render

__all__ = [
    "Bump",
    "Example",
    "GuidelineChange",
    "LabelSpec",
    "SchemaChange",
    "TemplateBody",
    "TemplateDiff",
    "bump",
    "default_body",
    "diff",
    "next_version",
    "render",
]
