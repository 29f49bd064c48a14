"""Databits Workbench as one program: `databits-workbench`, or `python -m databits_workbench`."""
