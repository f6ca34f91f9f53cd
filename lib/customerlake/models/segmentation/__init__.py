"""How customers are told into segments: methods, the number of segments, their names, and ids that stay."""
