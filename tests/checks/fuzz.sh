#!/usr/bin/env bash
# The fuzz drivers, TIME seconds in all.
# seconds-max: 7200
set -u
cd "$(dirname "$0")/../.." || exit 1
if [ ! -x "${B:-build}/daytona-fuzz" ]; then
    echo 'no fuzz driver was built'
    exit 1
fi
exec "${B:-build}/daytona-fuzz" --time "${TIME:-20}"
