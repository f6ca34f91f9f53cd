"""What a file says of itself: its encoding and form, what its values are, and which feed it may be."""
