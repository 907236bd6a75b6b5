"""The live page: what the router does, for people."""
