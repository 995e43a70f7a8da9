"""What fronts may ask of the store: read-only, each question one function, every one of them served by an index."""
