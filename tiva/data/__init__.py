"""Data of the package: catalogues, groups, the example table."""
