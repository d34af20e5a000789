#!/bin/sh
# Makes sure that the browser tests find a Chromium: the one in $CHROMIUM, one on PATH, or, as root on
# Debian or Ubuntu, their chromium package. Never fails the build: without a browser those tests skip,
# and this script says so loudly.
set -u

loud() {
    printf '\n\033[1;33m!! THE BROWSER TESTS WILL BE SKIPPED: %s\033[0m\n' "$1" >&2
    printf '!! Install Chromium, or set CHROMIUM=/path/to/chromium, and run this again.\n\n' >&2
    exit 0
}

if [ -n "${CHROMIUM:-}" ]; then
    [ -x "$CHROMIUM" ] || loud "CHROMIUM=$CHROMIUM is not an executable file"
    exit 0
fi
for name in chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$name" >/dev/null 2>&1 && exit 0
done

[ "$(id -u)" = 0 ] || loud "no Chromium on PATH, and only root can install one"
command -v apt-get >/dev/null 2>&1 || loud "no Chromium on PATH, and no apt-get to install one with"

echo "installing Debian's chromium for the browser tests" >&2
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() { apt-get -o DPkg::Lock::Timeout=180 "$@" >>"$log" 2>&1; }
apt update # when it fails, older package lists may still do
apt install -y --no-install-recommends chromium fonts-dejavu-core || {
    tail -n 5 "$log" >&2
    loud "apt-get could not install chromium"
}
command -v chromium >/dev/null 2>&1 || loud "the package chromium brought no chromium onto PATH"
echo "installed $(chromium --version 2>/dev/null)" >&2
