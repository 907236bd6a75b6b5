"""What is collected for whoever is asked to help, without secrets and without what was asked or answered."""
