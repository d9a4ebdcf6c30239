"""Programs: loaded, described, run, and refused with the verifier's words."""
