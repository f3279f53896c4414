"""Functions over bytes and arrays, compiled ahead of time. A library that adapters share.

They are written in Python, in modules that need no compiler to be imported (`compiled`). A process
of its own compiles them with Numba (`building`) and links them (`linking`), once per machine, and
keeps the code (`cache`). A process that calls them only puts that code into its memory (`program`,
`loading`), in the background once it needs it (`Loader`). The compiler would take 150 MB of its
memory and a second of its time, LLVM alone 50 MB.
"""

from adapters.compiled_code.loader import Loader
from adapters.compiled_code.program import BoundFunction, NotCompiled, Program, compiled

__all__ = ["BoundFunction", "Loader", "NotCompiled", "Program", "compiled"]
