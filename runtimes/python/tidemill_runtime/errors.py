"""The field's error payloads for Python (FC reference 4.2)."""
import os
import traceback

_OWN_FOLDER = os.path.dirname(os.path.abspath(__file__)) + os.sep


class LoadError(Exception):
    """A handler that cannot be had; carries the payload for the caller."""

    def __init__(self, kind, message, lines=()):
        super().__init__(message)
        self.payload = {'errorMessage': message, 'errorType': kind, 'stackTrace': list(lines)}


def user_frames(error):
    """Frames of the traceback that are not ours nor of the import machinery."""
    return [
        entry
        for entry in traceback.extract_tb(error.__traceback__)
        if not entry.filename.startswith((_OWN_FOLDER, '<frozen importlib')) and '/importlib/' not in entry.filename
    ]


def error_payload(error):
    """`stackTrace` is a list of four-element lists, innermost frame last."""
    return {
        'errorMessage': str(error),
        'errorType': type(error).__name__,
        'stackTrace': [
            [f'File "{entry.filename}"', f'line {entry.lineno}', f'in {entry.name}', entry.line or '']
            for entry in user_frames(error)
        ],
    }


def error_lines(error):
    """The exception without its frames, as lines: what the field shows of a failed import."""
    lines = ''.join(traceback.format_exception_only(type(error), error)).split('\n')
    return [line.strip() for line in lines if line.replace('^', '').strip()]


def error_text(error):
    """What the log shows of an error."""
    if isinstance(error, LoadError):
        return '\n'.join([error.payload['errorMessage'], *error.payload['stackTrace']])
    frames = traceback.format_list(user_frames(error))
    head = ['Traceback (most recent call last):\n'] if frames else []
    return ''.join([*head, *frames, *traceback.format_exception_only(type(error), error)]).rstrip('\n')
