"""The instrument as a web page: one file that plays offline."""
