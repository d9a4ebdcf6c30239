"""Packets for tests of network programs: built, varied, compared. Knows nothing of BPF."""
