"""Where the code meets Spark, the lake and the machine."""
