"""Entry of the Python runtimes: listens on the inherited Unix socket, descriptor 3."""
import sys

from tidemill_runtime.runtime import Runtime

if __name__ == '__main__':
    # The function's modules must not be shadowed by the folder this file lies in.
    del sys.path[0]
    Runtime(listen_fd=3).run()
