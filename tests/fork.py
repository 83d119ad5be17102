"""A process of its own for a piece of work, forked where this one stands."""

import os
import sys
import traceback
import warnings
from collections.abc import Callable


def fork(work: Callable[[], None]) -> int:
    """A process for this work alone; it ends with it, without this one's exit handlers."""
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # there are threads, and none of them is needed
        pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
