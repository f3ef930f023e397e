"""The Python runtime of Tidemill: what runs inside the sandbox before and around the function (see runtimes/README.md)."""
