"""The agents' prompts, one Markdown file a role."""

from pathlib import Path


def load(name: str) -> str:
    """The prompt of a role: `supervisor`, or a stage."""
    return (Path(__file__).parent / f"{name}.md").read_text(encoding="utf-8").strip()
