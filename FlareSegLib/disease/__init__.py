"""Disease simulation: a CT and its label map edited together into a new, consistent training case."""
