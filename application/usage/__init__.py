"""How organizations use the service: the last use of their tokens, their points by the minute."""
