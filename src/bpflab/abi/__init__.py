"""Facts of the kernel interface, as data. Nothing here does I/O."""
