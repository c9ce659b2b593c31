"""One module a verb: joins reading and writing to computing. The command line alone calls them."""
