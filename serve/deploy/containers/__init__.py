"""`polydraft up` and `down` for profiles whose engines run in containers."""
