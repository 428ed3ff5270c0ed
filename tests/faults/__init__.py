"""A whole service of which one part after another is killed, cut off or filled up in the midst of a coverage."""
