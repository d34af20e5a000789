"""A language model that turns pages into markdown, with and without drafts from the page."""
