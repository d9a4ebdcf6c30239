"""Objects in a kernel: what a spec says, made live."""
