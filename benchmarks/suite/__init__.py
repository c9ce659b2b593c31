"""One module a benchmark; its name is the benchmark's.

It holds

- a docstring whose first line says what is compared,
- ``CORES``: how many cores it may use (None for all),
- ``keys(quick)``: key to a call that returns a ``Measure`` or raises ``NotMeasurableError``.

Everything but the standard library is imported inside ``keys``, after the process was bound to its cores.
"""
