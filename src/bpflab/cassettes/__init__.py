"""Cassettes: what a backend answered to one test, kept as text, and played back without any kernel."""
