"""What documents say: the model of each kind, one module each (how the kinds move stands in ``kinds/``)."""
