"""Functions over bytes and arrays, compiled ahead of time. A library that adapters share.

They are written in Python, in modules that need no compiler to be imported (`compiled`). A process
of its own compiles them with Numba (`building`), once per machine, and keeps the object code
(`cache`). A process that calls them loads that code with LLVM alone (`program`): the compiler would
take 150 MB of its memory, and a second of its time.
"""

from adapters.compiled_code.program import BoundFunction, NotCompiled, Program, compiled

__all__ = ["BoundFunction", "NotCompiled", "Program", "compiled"]
