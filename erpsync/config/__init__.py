"""The landscape file: the systems, who owns what, and the flows between them; typed, checked, secrets kept apart."""
