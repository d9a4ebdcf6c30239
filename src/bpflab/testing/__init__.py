"""For the tests of bpflab's users: hypothesis strategies of keys, values and maps, and plain models of maps."""
