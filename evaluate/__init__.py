"""Answers -> scores: a golden set asked every night, scored, kept and gated."""
