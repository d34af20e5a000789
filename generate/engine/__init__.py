"""The inference engine: token ids in, token ids out.

Read in this order: `request` (what is asked for and how far it is), `blocks` (which cache blocks
hold what), `scheduler` (who runs next), `batch` (their tokens, packed), `attention` and `runner`
(one forward pass), `sampling` (the next tokens), `engine` (schedule -> run -> commit) and
`service` (the same in a thread, for many callers). The engine knows nothing about text.
"""
