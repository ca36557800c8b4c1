"""Which readings never came, told by the numbers that devices give them."""
