"""Files to markdown: one converter a kind of file."""
