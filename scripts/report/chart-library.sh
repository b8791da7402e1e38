#!/bin/sh
# Gets the chart library of `daytona report`, uPlot, from the npm registry, and leaves what the page needs in a
# folder.
#
#   scripts/report/chart-library.sh FOLDER [TARBALL]
#
# By npm, or where there is none by curl. What comes is used only if its checksum is the one below. CHART_LIBRARY,
# or TARBALL, is a copy that was fetched before: then no network is needed. NPM_REGISTRY is another registry.
set -u

version=1.6.32
checksum='2883159c6ebccefbb95d751b0b82d010f9e1c0ec41b8bc96d401eda66e882935c89a46cb824332fa369b8cb8122cc6ac36e186cd09bf7a9ded3a4c93c6989023'
registry=${NPM_REGISTRY:-https://registry.npmjs.org}

folder=$1
tarball=${2:-${CHART_LIBRARY:-}}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

by_npm() {
    command -v npm >/dev/null &&
        (cd "$work" && timeout 60 npm pack --silent --fetch-retries=0 --fetch-timeout=20000 \
            --registry="$registry" "uplot@$version" >/dev/null 2>&1)
}

by_curl() {
    command -v curl >/dev/null && timeout 60 curl --silent --fail --location --connect-timeout 10 \
        --output "$work/uplot-$version.tgz" "$registry/uplot/-/uplot-$version.tgz"
}

mkdir -p "$folder" || exit 1
# A build inside another one's directory, as `make check` makes some, takes what that has.
outer=$folder/../../chart/uplot.tgz
if [ -z "$tarball" ] && [ -s "$outer" ]; then
    tarball=$outer
fi
if [ -z "$tarball" ]; then
    tarball=$work/uplot-$version.tgz
    if ! by_npm && ! by_curl; then
        echo "the npm registry cannot be reached: \`daytona report\` is built without its chart library, uPlot;" \
            'everything else is there' >&2
        exit 1
    fi
fi
if [ "$(sha512sum <"$tarball")" != "$checksum  -" ]; then
    echo "$tarball is not uPlot $version as it was published: \`daytona report\` is built without it" >&2
    exit 1
fi
tar -xzf "$tarball" -C "$work" package/dist/uPlot.iife.min.js package/dist/uPlot.min.css package/LICENSE &&
    cp "$tarball" "$folder/uplot.tgz" &&
    cp "$work"/package/dist/uPlot.* "$work/package/LICENSE" "$folder"
