"""A practice landscape: an ERP, a WMS and a shop with real HTTP interfaces, and faults on demand."""
