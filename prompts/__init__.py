"""Prompts, one Markdown file each: a role of the agent, or what MCP clients offer (`for_clients/`)."""

from pathlib import Path


def load(name: str) -> str:
    """The prompt of a role (`supervisor`, or a stage), or of a client, as `for_clients/weekly_review`."""
    return (Path(__file__).parent / f"{name}.md").read_text(encoding="utf-8").strip()
