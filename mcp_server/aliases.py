"""Earlier names of tools: they still work, are not listed, and their results say the new name."""

from collections.abc import Mapping

RENAMED: Mapping[str, str] = {}
"""Earlier name → the name of today. An entry stays for two releases after the rename."""
