"""Engines made of published numbers, behind the real router. Never part of serving."""
