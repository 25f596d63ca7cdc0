"""Many runs over one changing population, each compared with a fresh import of the same world."""
