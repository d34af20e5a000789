"""The fields of documents: values normalised, conflicts resolved, gaps filled, and where each came from."""
