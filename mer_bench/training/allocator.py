"""Keeps freed memory for the next batch: glibc gives blocks of 32 MB and more back to the system with every tensor."""

import ctypes
import os
import platform

OFF = 'MER_BENCH_KEEP_MEMORY'  # 0 in the environment leaves glibc as it is
# malloc.h of glibc
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
LARGEST_INT = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let this process take large tensors from memory that it freed before, not from new pages that must be zeroed.

    mallopt(3) cannot raise the threshold of mmap above 32 MB, so that mmap is turned off; and what is freed at the end
    of the heap is not trimmed. The largest sum of memory stays what it is; it is given back when the process ends.

    Returns:
        Whether something was set: nothing is where the C library is not glibc, where `MER_BENCH_KEEP_MEMORY=0`, or
        where the environment has a `MALLOC_...` of its own.
    """
    own = any(name.startswith('MALLOC_') for name in os.environ)
    if platform.libc_ver()[0] != 'glibc' or own or os.environ.get(OFF) == '0':
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, LARGEST_INT))
