"""Stock lists: small functions over article numbers and prices."""
