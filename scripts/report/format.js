/* ---- Numbers for people. */

function scaled(value, units, step) {
    let unit = 0;
    while (Math.abs(value) >= step && unit + 1 < units.length) {
        value /= step;
        unit++;
    }
    const digits = unit === 0 && Number.isInteger(value) ? 0 : Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
    return value.toFixed(digits) + ' ' + units[unit];
}

const formatBytes = value => value === null ? '–' : scaled(value, ['B', 'kB', 'MB', 'GB', 'TB'], 1000);
const formatRate = value => value === null ? '–' : scaled(value, ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s'], 1000);
const grouped = new Intl.NumberFormat('en');
const formatCount = value => value < 1000 && value > -1000 ? String(value) : grouped.format(value).replaceAll(',', '\u202f');

/* A duration in microseconds. */
function formatDuration(microseconds) {
    if (microseconds === null)
        return '–';
    return scaled(microseconds, ['µs', 'ms', 's'], 1000);
}

/* An instant, in seconds since the trace began, so exactly that what is `span` long can be told apart. */
function formatInstant(seconds, span) {
    const digits = Math.max(0, Math.min(6, Math.ceil(-Math.log10(span)) + 3));
    return seconds.toFixed(digits) + ' s';
}

/* Ticks of an axis without needless zeros. */
function tickLabels(splits, format) {
    return splits.map(value => value === null ? null : value === 0 ? '0' : format(value).replace(/\.0+ /, ' ').replace(/(\.\d*?)0+ /, '$1 '));
}

function timeLabels(splits, increment) {
    const digits = Math.max(0, Math.min(6, -Math.floor(Math.log10(increment) + 1e-9)));
    return splits.map(value => value === null ? null : value.toFixed(digits) + ' s');
}

const flagNames = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR'];

/* What a number of an event says. */
function formatNumber(unit, value) {
    switch (unit) {
    case 'bytes':
        return value === 4294967295 ? 'none' : formatCount(value) + ' B';
    case 'microseconds':
        return formatDuration(value);
    case 'nanoseconds':
        return formatDuration(value / 1000);
    case 'state':
        return trace.states[value] || 'none';
    case 'verdict':
        return trace.verdicts[value] || String(value);
    case 'limit':
        return trace.limits[value] || String(value);
    case 'flags':
        return flagNames.filter((name, bit) => value >> bit & 1).join(',') || 'none';
    case 'icmp':
        return (value >> 8) + '/' + (value & 255);
    case 'address':
        return [value >>> 24, value >>> 16 & 255, value >>> 8 & 255, value & 255].join('.');
    default:
        return formatCount(value);
    }
}

/* The numbers of row `row` of an event table in words. */
function eventNumbers(events, row) {
    const kind = trace.kinds[events.type[row]];
    return kind.fields.map(([name, unit], i) =>
        unit === '' ? '' : name.replaceAll('_', ' ') + ' ' + formatNumber(unit, events['abcd'[i]][row]))
        .filter(text => text !== '').join(', ');
}

function eventName(events, row) {
    const word = trace.words[events.reason[row]];
    return trace.kinds[events.type[row]].name.toLowerCase().replaceAll('_', ' ') + (word ? ' (' + word + ')' : '');
}
