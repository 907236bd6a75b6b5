"""Proves on a running router that every lane answers as the body would. Never part of serving."""
