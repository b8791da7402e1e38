#!/bin/sh
# Puts the page of `daytona report` together, from the parts beside this file and the chart library in FOLDER, and
# writes it to standard output.
#
#   scripts/report/assemble.sh FOLDER
set -eu
chart=$1
cd "$(dirname "$0")"

parts='data.js format.js decimate.js theme.js plots.js segments.js timeline.js hover.js tables.js profile.js main.js'

while IFS= read -r line; do
    case $line in
    '<!-- style -->')
        echo '<style>'
        cat "$chart/uPlot.min.css"
        cat page.css
        echo '</style>'
        ;;
    '<!-- program -->')
        echo '<script>'
        echo '/* uPlot (https://github.com/leeoniya/uPlot):'
        cat "$chart/LICENSE"
        echo '*/'
        cat "$chart/uPlot.iife.min.js"
        echo '</script>'
        echo '<script>'
        echo "'use strict';"
        for part in $parts; do
            cat "$part"
        done
        echo '</script>'
        ;;
    *) printf '%s\n' "$line" ;;
    esac
done <page.html
