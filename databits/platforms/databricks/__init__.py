"""Databricks: the only package that imports `databricks.*`."""
