"""Maps as Python mappings, and the codecs between their bytes and values."""
