"""Examining a store, and mending what can be mended without losing anything that is still good."""
