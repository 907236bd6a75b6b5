"""Looks at a machine before anything starts on it, and says go or no-go; changes nothing there."""
