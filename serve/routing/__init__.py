"""The decisions: pure, without I/O, clock or framework."""
