"""Reads and writes objects with the credentials that every call brings along (OSS signature version 1)."""
import base64
import hashlib
import hmac
import os
import shutil
import urllib.parse
import urllib.request
from email.utils import formatdate


class Bucket:
    def __init__(self, name, credentials, endpoint=None):
        self.name = name
        self.credentials = credentials
        self.endpoint = endpoint or os.environ["TIDEMILL_OBJECTS_ENDPOINT"]

    def download(self, key, path):
        with self._send("GET", key) as answer, open(path, "wb") as file:
            shutil.copyfileobj(answer, file, 1 << 20)

    def upload(self, key, path, content_type):
        with open(path, "rb") as file:
            self._send("PUT", key, file, os.path.getsize(path), content_type).close()

    def _send(self, method, key, body=None, length=None, content_type=""):
        date = formatdate(usegmt=True)
        token = self.credentials.security_token
        headers = f"x-oss-security-token:{token}\n" if token else ""
        text = f"{method}\n\n{content_type}\n{date}\n{headers}/{self.name}/{key}"
        digest = hmac.new(self.credentials.access_key_secret.encode(), text.encode(), hashlib.sha1).digest()
        url = f"{self.endpoint}/{self.name}/{urllib.parse.quote(key)}"
        request = urllib.request.Request(url, data=body, method=method)
        request.add_header("Date", date)
        request.add_header("Authorization", f"OSS {self.credentials.access_key_id}:{base64.b64encode(digest).decode()}")
        if token:
            request.add_header("x-oss-security-token", token)
        if content_type:
            request.add_header("Content-Type", content_type)
        if length is not None:
            request.add_header("Content-Length", str(length))
        return urllib.request.urlopen(request, timeout=60)
