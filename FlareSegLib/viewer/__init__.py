"""A CT and its labels on a page of one's own browser, served by this process alone."""
