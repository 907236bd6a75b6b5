"""Measures what each lane achieves in each language, on a router that runs. Never part of serving."""
