"""Indicators of trade in value added: one module a family, pure functions of a model."""
