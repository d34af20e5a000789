"""``python -m generate bench``: the engine beside its peers, on the same prompts, in one run.

Read in this order: `prompts` (what is asked) and `cells` (batches and contexts made of it), `systems`
(the interface, and ours), `peers` and `llamacpp` (theirs), `run` (interleaved runs), `stats` and `rows`
(what they come to), `report` and `picture` (how it is shown), `options`, `setup` and `command` (from the
arguments to a measurement). `hard` holds the hard cases, `dummy` measures steps of models whose weights are
not here.
"""
