"""Host memory allocator settings."""

import ctypes
import platform

# mallopt's parameters (malloc.h) and their largest values
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_NEVER, _LARGEST = 2**31 - 1, 32 << 20


def keep_freed() -> bool:
    """Make the C library keep freed memory for later allocations instead of returning it to the system.

    A training step on the CPU repeatedly frees and allocates tensors of several MiB. By default their
    pages are returned to the system, then faulted in and zeroed again at every step. Peak memory is
    unchanged, but it is held until the process ends.

    Returns:
        Whether it succeeded; only glibc is supported.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    kept = library.mallopt(_TRIM_THRESHOLD, _NEVER)
    return bool(kept and library.mallopt(_MMAP_THRESHOLD, _LARGEST))
