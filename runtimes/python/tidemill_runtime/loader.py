"""Environment and modules of the function (FC reference 3.3, 4.2)."""
import importlib
import os
import sys
import time

from .errors import LoadError, error_lines
from .warm_up import forget_shadowed

_DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'


def apply_environment(env, code_path):
    """Replaces the process environment; search paths get the documented folders where the platform left them out."""
    os.environ.clear()
    os.environ.update(env)
    os.environ.setdefault('PATH', f'{code_path}/bin:/opt/bin:{_DEFAULT_PATH}')
    os.environ.setdefault('LD_LIBRARY_PATH', f'{code_path}:{code_path}/lib:/opt/lib')
    given = [folder for folder in env.get('PYTHONPATH', '').split(':') if folder]
    folders = [code_path, f'{code_path}/lib', *given, '/opt/python']
    os.environ['PYTHONPATH'] = ':'.join(folders)
    sys.path[:0] = folders
    forget_shadowed(folders)
    time.tzset()
    os.chdir(code_path)


def load_handler(handler):
    """The function named `file.method`; `src/index.handler` and `src.index.handler` mean the same file."""
    module_name, _, method = handler.rpartition('.')
    if not module_name or not method:
        raise LoadError('InvalidHandlerName', f"Invalid handler '{handler}'")
    module = _import(module_name)
    found = getattr(module, method, None)
    if not callable(found):
        raise LoadError('HandlerNotFound', f"Handler '{method}' is missing on module '{module_name}'")
    return found


def _import(name):
    try:
        return importlib.import_module(name.strip('/').replace('/', '.'))
    except ImportError as error:
        raise LoadError('ImportModuleError', f"Unable to import module '{name}'", error_lines(error)) from error
    except SyntaxError as error:
        raise LoadError('UserCodeSyntaxError', f"Syntax error in module '{name}'", error_lines(error)) from error
    except Exception as error:
        raise LoadError('UserCodeError', f"Module initialization error: '{error}'", error_lines(error)) from error
