"""The report of a release: in a terminal, as Markdown, as a page."""
