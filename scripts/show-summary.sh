#!/bin/sh
# Shows the lines that DAYTONA_SUMMARY has collected as a table.
#
#   scripts/show-summary.sh FILE...
[ $# -gt 0 ] || {
    echo "usage: $0 FILE..." >&2
    exit 2
}
# shellcheck disable=SC2016 # awk's dollars
exec awk '
    function field(name,   at, rest) {
        at = index($0, "\"" name "\":")
        if (!at) return "-"
        rest = substr($0, at + length(name) + 3)
        if (substr(rest, 1, 1) == "\"") { rest = substr(rest, 2); sub(/".*/, "", rest) }
        else sub(/[,}].*/, "", rest)
        return rest
    }
    function amount(bytes) {
        bytes += 0
        if (bytes >= 1e9) return sprintf("%.2f GB", bytes / 1e9)
        if (bytes >= 1e6) return sprintf("%.1f MB", bytes / 1e6)
        if (bytes >= 1e3) return sprintf("%.1f kB", bytes / 1e3)
        return bytes " B"
    }
    BEGIN {
        format = "%-21s %-21s %9s %9s %6s %8s %8s %8s %9s  %-6s %s\n"
        printf format, "local", "remote", "sent", "received", "again", "timeouts", "srtt ms", "cwnd kB", "Mbit/s", "cc", "ended by"
    }
    {
        seconds = field("duration_us") / 1e6
        sent = field("bytes_acked"); received = field("bytes_received")
        printf format, field("local"), field("remote"), amount(sent), amount(received),
            field("segments_retransmitted"), field("timeouts"), sprintf("%.2f", field("srtt_us") / 1000),
            sprintf("%.0f", field("cwnd_bytes") / 1000),
            (seconds > 0 ? sprintf("%.0f", (sent + received) * 8 / 1e6 / seconds) : "-"),
            field("congestion"), field("cause")
    }' "$@"
