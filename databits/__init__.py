"""Databits Workbench: from raw data to a monitored model or agent in one conversation."""
