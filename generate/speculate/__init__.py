"""Speculative decoding: draft several tokens, verify them in one pass, keep what the model agrees with.

Read in this order: `tree` (what is drafted), `verify` (what is kept), `drafter` (the interface of
those who propose), the drafters themselves (those that run a model share `chain`), `calibration`
(how often they are right), `build` (one tree out of many drafters), `costs` and `planner` (how large
a tree pays).
"""
