"""erpsync keeps the documents of an ERP and the systems around it in step."""

__version__ = "0.1.0"
