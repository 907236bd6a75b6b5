"""The wire between client and engine: bytes, events and vLLM's dialect. Chooses nothing."""
