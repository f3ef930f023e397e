"""Entry of the Python runtimes: listens on the inherited Unix socket, descriptor 3."""
import os
import sys

from tidemill_runtime.runtime import Runtime
from tidemill_runtime.warm_up import warm_up

if __name__ == '__main__':
    # The function's modules must not be shadowed by the folder this file lies in.
    del sys.path[0]
    if os.environ.pop('TIDEMILL_POOLED', None) is not None:
        # Nobody waits for this process yet: time to get ready for whatever function comes.
        warm_up()
    Runtime(listen_fd=3).run()
