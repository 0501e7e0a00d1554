"""Sound bounds on a box: how large a Lie derivative can be anywhere in it, and what follows for finite moves."""
