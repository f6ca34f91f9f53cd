"""customerlake: analytic CRM on a lakehouse, from the landing folder to the action list. Begin at `catalogue.py`."""

__version__ = "0.1.0"
