"""Writers and servers that are killed, and what is left of what they were told is kept."""
