"""Imported by the process that workers are forked from: its import is their start."""

from __future__ import annotations

from tiva.batch.execute import load_libraries

load_libraries()
