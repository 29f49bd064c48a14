"""The places where the workbench runs."""
