#!/usr/bin/env bash
# Layout is .clang-format's business. `make format` mends what this finds.
set -u
cd "${ROOT:-$(dirname "$0")/../..}" || exit 1
find include stack capture rawtx iptables_rules preload scripts tests -name '*.[ch]' -print0 |
    xargs -0 -r clang-format --dry-run -Werror
