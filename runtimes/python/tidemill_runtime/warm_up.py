"""
Modules that many functions import, imported while the runtime waits in a pool. A function whose own folders have a module of
the same name gets its own, as it would without the pool.
"""
import importlib
import os
import sys

MODULES = (
    'base64', 'contextlib', 'copy', 'csv', 'datetime', 'decimal', 'functools', 'hashlib', 'hmac', 'http.client', 'io',
    'itertools', 'pathlib', 'random', 're', 'shutil', 'ssl', 'subprocess', 'tempfile', 'typing', 'urllib.parse',
    'urllib.request', 'uuid', 'zipfile',
)

# Top-level names of what was imported ahead, with everything that came along.
_ahead = {}


def warm_up():
    """Imports what is there; what this Python lacks is left out."""
    before = set(sys.modules)
    for name in MODULES:
        try:
            importlib.import_module(name)
        except ImportError:
            pass  # a Python without it, e.g. without ssl: the function would not find it either
    for name in set(sys.modules) - before:
        _ahead.setdefault(name.partition('.')[0], []).append(name)


def forget_shadowed(folders):
    """Takes back what the function has a module of its own for in one of these folders; to be called before it is loaded."""
    if not _ahead:
        return
    for folder in folders:
        try:
            entries = os.listdir(folder)
        except OSError:
            continue  # most functions have no layers
        for entry in entries:
            for name in _ahead.pop(entry.partition('.')[0], ()):
                sys.modules.pop(name, None)
