#!/usr/bin/env bash
# Make sure that the browser tests have a Chromium: the one named by CHROMIUM_PATH, one on the PATH,
# or, as root on Debian and Ubuntu, the distribution's own.
set -euo pipefail
for name in "${CHROMIUM_PATH:-}" chromium chromium-browser google-chrome \
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do
    if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "Installing Chromium ..."
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core fonts-liberation; } \
        >"$log" 2>&1 || { cat "$log"; exit 1; }
    exit 0
fi
if [ -n "${DOTSCIENCE_REQUIRE_REAL:-}" ]; then
    echo "The browser tests need Chromium; install it or set CHROMIUM_PATH." >&2
    exit 1
fi
echo "No Chromium found: the browser tests will be skipped. Install it, or set CHROMIUM_PATH."
