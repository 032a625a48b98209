"""Training cases from little data: real CTs on other anatomies, and wholly synthetic ones; see docs/architecture.md."""
