"""BG/NBD and Gamma-Gamma: their fit from counted histories, their numbers, and how they are judged by time."""
