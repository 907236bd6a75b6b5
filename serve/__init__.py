"""Polydraft's router and command line: one language model, each request decoded by the lane that is fastest for it."""

__version__ = "0.1.0"
