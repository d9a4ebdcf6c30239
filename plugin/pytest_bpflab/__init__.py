"""The pytest plugin of bpflab."""
