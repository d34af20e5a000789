"""A llama-shaped decoder with INT8 weights in C++, for x86 processors: one call a step."""
