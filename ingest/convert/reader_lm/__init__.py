"""Web pages to markdown by a small language model on the engine, instead of by rules.

The reader models (reader-lm-0.5b, reader-lm-1.5b, ReaderLM-v2) are under CC-BY-NC-4.0, so none of them
is a default: `choice` says when one is used, `converter` uses it, and `guards` keeps what it makes up out.
"""
