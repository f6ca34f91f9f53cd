"""customerlake: analytic CRM on a lakehouse, from the landing folder to the action list. Start reading at `catalogue.py`."""

__version__ = "0.1.0"
