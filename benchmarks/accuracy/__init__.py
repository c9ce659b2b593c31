"""What ``benchmarks.suite.recipes`` is made of: the arms, how they are run, other ways of training, and the comparison."""
