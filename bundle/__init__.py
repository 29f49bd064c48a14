"""The Databricks bundle: its jobs are made from the catalogue."""
