#!/bin/sh
# Everything compiles with gcc without a warning. Its own build directory: objects that were
# made before, with warnings, prove nothing.
# seconds-max: 900
cd "$(dirname "$0")/../.." || exit 1
exec make --no-print-directory -s -j"$(nproc)" B="${B:-build}/strict-gcc" CC=gcc WERROR=1 \
    library tools test-programs interop-programs
