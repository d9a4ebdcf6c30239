"""The one seam: what the library wants from a kernel, and what answers it."""
