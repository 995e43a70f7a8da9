"""The kinds of documents, one module each; a module added here is a kind known everywhere."""
