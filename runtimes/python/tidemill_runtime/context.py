"""Context objects in the two shapes of the field (FC reference 4.2)."""
import json
import logging


class _Record:
    """Attributes in a fixed order, shown as JSON by `to_json`."""

    def __init__(self, **fields):
        self.__dict__.update(fields)

    def to_json(self):
        return json.dumps(self.__dict__, default=lambda value: getattr(value, '__dict__', str(value)))


class Credentials(_Record):
    """Both spellings occur in the field's own samples."""

    def __init__(self, given):
        key_id = given.get('accessKeyId', '')
        secret = given.get('accessKeySecret', '')
        token = given.get('securityToken', '')
        super().__init__(
            access_key_id=key_id,
            access_key_secret=secret,
            security_token=token,
            accessKeyId=key_id,
            accessKeySecret=secret,
            securityToken=token,
        )


class Context(_Record):
    """Python 3.6 to 3.10."""

    def getLogger(self):  # noqa: N802 - the field's name
        return logging.getLogger()


def make_context(load, request_id, qualifier, retry_count, credentials):
    """The context of one call or hook, in the shape of the configured runtime."""
    if _is_new_shape(load['runtime']):
        return _new_context(load, request_id, qualifier, retry_count)
    fn = load['function']
    service = load['service']
    return Context(
        request_id=request_id,
        requestId=request_id,
        credentials=Credentials(credentials or {}),
        function=_Record(name=fn['name'], handler=fn['handler'], memory=fn['memory'], timeout=fn['timeout']),
        service=_Record(
            log_project=service['logProject'],
            log_store=service['logStore'],
            qualifier=qualifier,
            version_id=service['versionId'],
        ),
        region=load['region'],
        account_id=load['accountId'],
        retry_count=retry_count,
    )


def _is_new_shape(runtime):
    digits = runtime[len('python') :].split('.') if runtime.startswith('python') else []
    return len(digits) == 2 and digits[0] == '3' and digits[1].isdigit() and int(digits[1]) >= 12


def _new_context(load, request_id, qualifier, retry_count):
    """Python 3.12 and later: no credentials, no service; the logger is an attribute."""
    fn = load['function']
    service = load['service']
    return _Record(
        request_id=request_id,
        function=_Record(
            name=fn['name'],
            handler=fn['handler'],
            memory=fn['memory'],
            timeout=fn['timeout'],
            version_id=service['versionId'],
            qualifier=qualifier,
        ),
        region=load['region'],
        account_id=load['accountId'],
        logger=logging.getLogger(),
        log_project=service['logProject'],
        log_store=service['logStore'],
        retry_count=retry_count,
    )
