"""What other policies would have reached, told from the access log of a router that tries lanes."""
