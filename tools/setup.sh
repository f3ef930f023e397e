#!/bin/sh
# All set-up, from a bare clone to a built Tidemill: npm packages, system packages, function runtimes, compiled code.
# Safe to run again at any time: what is in place is left alone. Prints one line for each thing it does.
#   TIDEMILL_SETUP_NO_APT=1   never touch system packages, only say what is missing
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

say() { echo "set-up: $*"; }
fail() { echo "set-up: $*" >&2; exit 1; }

command -v node >/dev/null || fail "Node.js is missing. Install Node 20 or newer with npm, then run this again."
[ "$(node -p 'parseInt(process.versions.node) >= 20')" = true ] || fail "Node $(node -v) is too old: 20 or newer is needed to install (Tidemill brings its own for running)."

command -v npm >/dev/null || fail "npm is missing. It comes with Node.js; on Debian: apt-get install npm."

# -- npm packages, again whenever the lock file is not the one that was installed (an installed package has neither lock nor sources)
installed=$root/node_modules/.tidemill-lock
if [ -e package-lock.json ] && ! cmp -s package-lock.json "$installed" 2>/dev/null; then
  say "installing npm packages"
  npm ci --no-audit --no-fund --loglevel=error
  cp package-lock.json "$installed"
fi

# -- function runtimes: Node versions that functions may ask for, each in a prefix of its own
case $(uname -s)-$(uname -m) in
  Linux-x86_64 | Linux-aarch64)
    for version in 20 22 24; do
      prefix=$root/runtimes/node/versions/$version
      if ! cmp -s "$prefix/package-lock.json" "$prefix/node_modules/.tidemill-lock" 2>/dev/null; then
        say "installing the nodejs$version runtime"
        (cd "$prefix" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error && cp package-lock.json node_modules/.tidemill-lock)
      fi
    done ;;
esac

# -- system packages: command, package, what for
missing=
need() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ] || missing="$missing $2"; }
command -v crun >/dev/null 2>&1 || need runc runc # the OCI runtime that makes the sandbox
need ip iproute2         # network of the sandboxes
need nft nftables        # firewall of the sandboxes
need mkfs.ext4 e2fsprogs # private /tmp of the configured size
[ -x /usr/bin/python3 ] || missing="$missing python3" # python3.x runtimes
need ffmpeg ffmpeg       # examples/video-transcode
need openssl openssl      # certificates for the tests of TLS
need strace strace       # tidemill chaos: makes fsync fail
ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || missing="$missing libfaketime" # tidemill chaos: turns the clock
if [ -n "$missing" ]; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || [ -n "${TIDEMILL_SETUP_NO_APT:-}" ]; then
    why="needs root and apt"
  else
    say "installing system packages:$missing"
    export DEBIAN_FRONTEND=noninteractive
    # An index that cannot be refreshed may still do; whether the packages came is what counts.
    apt-get update -qq || say "the package index could not be refreshed; trying with what is there"
    # shellcheck disable=SC2086 # a list of words on purpose
    if apt-get install -y -qq --no-install-recommends $missing >/dev/null; then why=; else why="apt failed, see above"; fi
  fi
  if [ -n "$why" ]; then
    say "these system packages are missing and could not be installed from here ($why):$missing"
    say "install them with your package manager; 'tidemill doctor' says what works without them"
  fi
fi

# -- gVisor: an optional tier of isolation; without it only '--isolation gvisor' is not offered
if ! command -v runsc >/dev/null 2>&1 && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && [ -z "${TIDEMILL_SETUP_NO_APT:-}" ]; then
  say "installing runsc (gVisor)"
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends runsc >/dev/null 2>&1 || say "runsc is not among the packages of this system: '--isolation gvisor' is not offered here"
fi

# -- Python's part of the runtimes, compiled once: inside a sandbox the folder is read-only, and every start would do it again
[ ! -x /usr/bin/python3 ] || /usr/bin/python3 -m compileall -q runtimes/python || say "Python's part could not be compiled ahead: its cold starts take a little longer"

# -- compiled code, again whenever a source is newer
if [ -d src ] && { [ ! -e dist/.built ] || [ -n "$(find src tsconfig.json tsconfig.build.json -newer dist/.built -print -quit)" ]; }; then
  say "building"
  sh tools/with-node.sh tools/build.mjs
fi
