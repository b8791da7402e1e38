#!/usr/bin/env bash
# What is generated and kept in the repository is up to date: a fresh `make docs` changes nothing.
set -u
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
scripts/generate-docs.sh "$work" || exit 1
status=0
while read -r file; do
    if ! diff -u "$file" "$work/$file"; then
        echo "$file is out of date: run make docs"
        status=1
    fi
done < <(cd "$work" && find . -type f | sed 's|^\./||')
exit "$status"
