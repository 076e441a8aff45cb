"""Experiments that show why residual networks work."""

from resexp.api import Run, build_model, found, load, options, rows, train

__all__ = ["Run", "build_model", "found", "load", "options", "rows", "train"]
__version__ = "0.1.0"
