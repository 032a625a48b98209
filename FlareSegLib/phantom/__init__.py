"""A synthetic abdominal CT with plausible HU, for the demo, for tests and as sample data."""
