"""The only room that speaks to far systems."""
