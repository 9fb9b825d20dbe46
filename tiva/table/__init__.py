"""The input-output table: labels, checks, sums, native format."""
