"""The ledger at work: asked for each request, told of each outcome, kept in a file."""
