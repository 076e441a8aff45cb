"""How the host's memory is handed back."""

import ctypes
import platform

# mallopt's parameters (malloc.h) and the largest values it takes
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_NEVER, _LARGEST = 2**31 - 1, 32 << 20


def keep_freed() -> bool:
    """Let the C library keep freed memory for the next allocation instead of returning it.

    A step on the CPU frees and allocates the same tensors of several MiB over and over. By default
    their pages go back to the system and are faulted in and zeroed anew at every step. The process's
    peak stays what it is; it is held until the end.

    Returns:
        Whether this C library does so; others than glibc are left as they are.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    kept = library.mallopt(_TRIM_THRESHOLD, _NEVER)
    return bool(kept and library.mallopt(_MMAP_THRESHOLD, _LARGEST))
