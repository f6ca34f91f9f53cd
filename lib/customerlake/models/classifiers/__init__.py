"""What fits, judges and explains a yes or no: candidates that compete, and the numbers that score."""
