"""Firm-size bands: margins by band, their reconciliation, and the shares that split a table."""
