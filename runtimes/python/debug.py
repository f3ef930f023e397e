"""As shim.py, stopping at the first line of the handler under pdb: for `tidemill replay`."""
import pdb
import sys

from tidemill_runtime import runtime


def _debugged(load_handler):
    def load(name):
        handler = load_handler(name)

        def stopped(*args):
            return pdb.Pdb(stdin=sys.__stdin__, stdout=sys.__stdout__).runcall(handler, *args)

        return stopped

    return load


if __name__ == '__main__':
    # The function's modules must not be shadowed by the folder this file lies in.
    del sys.path[0]
    runtime.load_handler = _debugged(runtime.load_handler)
    runtime.Runtime(listen_fd=3).run()
