/* ---- The charts of a connection: sequence numbers, windows, round trips, goodput. */

const isUnknown = value => value === 0;
const isUnset = value => value === 0 || value >= 0x7fffffff;

/* Rows [low, high) that are in view, of a table with ascending times. */
const inView = rows => [countBelow(rows.at, view.from * 1e6), countBelow(rows.at, view.to * 1e6 + 1)];

/* Places on a chart's canvas. */
function placing(plot) {
    const {left, top, width, height} = plot.bbox, {min, max} = plot.scales.y;
    return {
        x: at => left + (at / 1e6 - view.from) / (view.to - view.from) * width,
        y: value => top + (max - value) / (max - min) * height,
    };
}

/* Upright bars from `low[i]` up to `high(i)`: of many, one for each pixel, from the lowest to the highest. */
function drawBars(plot, rows, low, high, colour, wide) {
    const [begin, end] = inView(rows), {ctx, bbox} = plot, {x, y} = placing(plot), dense = uPlot.pxRatio;
    ctx.fillStyle = theme.colour(colour);
    if (end - begin <= 3 * bbox.width) {
        const width = Math.max(1.5, Math.min(wide, bbox.width / (end - begin + 1) / 2)) * dense;
        for (let i = begin; i < end; i++) {
            const top = y(high(i)), height = Math.max(2 * dense, y(low(i)) - top);
            ctx.fillRect(x(rows.at[i]) - width / 2, top, width, height);
        }
        return;
    }
    for (let i = begin; i < end;) {
        const pixel = Math.floor(x(rows.at[i]));
        let least = low(i), most = high(i);
        for (i++; i < end && Math.floor(x(rows.at[i])) === pixel; i++) {
            least = Math.min(least, low(i));
            most = Math.max(most, high(i));
        }
        ctx.fillRect(pixel, y(most), 1, Math.max(dense, y(least) - y(most)));
    }
}

function drawMark(ctx, shape, x, y, size) {
    ctx.beginPath();
    if (shape === 'up') {
        ctx.moveTo(x, y - size);
        ctx.lineTo(x + size, y + size);
        ctx.lineTo(x - size, y + size);
    } else if (shape === 'square') {
        ctx.rect(x - size * 0.8, y - size * 0.8, size * 1.6, size * 1.6);
    } else if (shape === 'diamond') {
        ctx.moveTo(x, y - size);
        ctx.lineTo(x + size, y);
        ctx.lineTo(x, y + size);
        ctx.lineTo(x - size, y);
    } else if (shape === 'circle') {
        ctx.arc(x, y, size * 0.85, 0, 2 * Math.PI);
    } else {
        ctx.moveTo(x - size, y - size);
        ctx.lineTo(x + size, y + size);
        ctx.moveTo(x + size, y - size);
        ctx.lineTo(x - size, y + size);
        ctx.lineWidth = size / 2;
        ctx.stroke();
        return;
    }
    ctx.closePath();
    ctx.fill();
    ctx.stroke();
}

/* Each kind of repeated segment has its mark: colour alone says little on paper. */
const againMarks = {
    sent: [null, ['up', 'red'], ['square', 'red'], ['diamond', 'red'], ['circle', 'red'], null],
    received: [null, null, null, null, ['circle', 'purple'], ['up', 'orange']],
};

function drawAgain(plot, rows, painted) {
    const [begin, end] = inView(rows), {ctx} = plot, {x, y} = placing(plot), size = 4.5 * uPlot.pxRatio;
    let drawn = '';
    ctx.strokeStyle = theme.colour('card');
    ctx.lineWidth = uPlot.pxRatio;
    for (let i = begin; i < end; i++) {
        const entry = rows.kind[i] === 0 ? undefined : painted.find(one => one.kinds && one.kinds.includes(rows.kind[i]));
        if (!entry || entry.hidden)
            continue;
        const mark = againMarks[view.direction][rows.kind[i]];
        const across = x(rows.at[i]), up = y(rows.sequence[i] + rows.length[i] / 2);
        const place = Math.round(across / 3) + ',' + Math.round(up / 3);
        if (place === drawn)
            continue;
        drawn = place;
        ctx.fillStyle = theme.colour(mark[1]);
        drawMark(ctx, mark[0], across, up, size);
    }
}

function makeSequence() {
    const sent = view.direction === 'sent';
    const segments = rowsOf(view.direction, view.connection);
    const acks = rowsOf(sent ? 'acked' : 'acking', view.connection);
    const blocks = rowsOf(sent ? 'sacked' : 'sacking', view.connection);
    const entry = (label, colour, shape, kinds, title) => ({label, colour, shape, kinds, title});
    const painted = [entry(sent ? 'sent' : 'received', 'blue', 'bar', [0], 'a segment with data, from its first to its last byte'),
        entry('SACK', 'purple', 'bar', null, 'what lies beyond a gap has arrived')].concat(sent
        ? [entry('fast retransmission', 'red', 'up', [1]), entry('after a timeout', 'red', 'square', [2]),
            entry('probe', 'red', 'diamond', [3]), entry('sent again', 'red', 'circle', [4], 'for another reason')]
        : [entry('beyond a gap', 'orange', 'up', [5]), entry('late', 'purple', 'circle', [4], 'it fills a gap, or repeats what has come')])
        .filter(one => !one.kinds || one.kinds[0] === 0 || segments.kind.includes(one.kinds[0]));
    const end = i => segments.sequence[i] + segments.length[i];
    makeChart('sequence', {
        height: 340, label: 'bytes', format: formatBytes, painted, segments,
        lines: [
            {label: 'acknowledged', colour: 'green', format: formatBytes, source: {at: acks.at, value: acks.acknowledged}},
            {label: sent ? 'receive window ends' : 'our window ends', colour: 'orange', shape: 'dash', format: formatBytes,
                source: {at: acks.at, value: acks.edge, isNone: isUnknown}},
        ],
        /* The window's edge may be far away: it is shown as far as it does not flatten all else. */
        extent: () => {
            const [begin, finish] = inView(segments), until = lastNotAfter(acks.at, view.to * 1e6);
            const since = Math.max(0, lastNotAfter(acks.at, view.from * 1e6));
            let least = Infinity, most = -Infinity, edge = 0;
            for (let i = begin; i < finish; i++) {
                least = Math.min(least, segments.sequence[i]);
                most = Math.max(most, end(i));
            }
            if (until >= 0) {
                least = Math.min(least, acks.acknowledged[since]);
                most = Math.max(most, acks.acknowledged[until]);
                edge = acks.edge[until];
            }
            if (least > most)
                return [0, 1];
            const span = Math.max(most - least, 100);
            return [Math.max(0, least - span * 0.03), Math.max(most + span * 0.06, Math.min(edge * 1.02, most + span * 0.6))];
        },
        under: plot => {
            if (!painted[0].hidden)
                drawBars(plot, segments, i => segments.sequence[i], end, 'blue', 4);
            if (!painted[1].hidden)
                drawBars(plot, blocks, i => blocks.left[i], i => blocks.right[i], 'purple', 2);
        },
        over: plot => drawAgain(plot, segments, painted),
        hover: (plot, time, place) => nearestSegment(plot, segments, time, place),
    });
}

function makeWindow() {
    const rows = rowsOf('window', view.connection);
    const line = (label, colour, shape, name, isNone) =>
        ({label, colour, shape, fill: 'flight', format: formatBytes, source: {at: rows.at, value: rows[name], isNone}});
    makeChart('window', {
        height: 240, label: 'bytes', format: formatBytes,
        lines: [line('in flight', 'sky', 'area', 'in_flight'), line('ssthresh', 'orange', 'dash', 'ssthresh', isUnset),
            line('cwnd', 'blue', 'line', 'cwnd')],
        extent: (least, most) => [0, most > 0 ? most * 1.08 : 1],
    });
}

function makeRoundTrips() {
    const rows = rowsOf('rtt', view.connection);
    const line = (label, colour, shape, name, points) =>
        ({label, colour, shape, format: formatDuration, source: {at: rows.at, value: rows[name], points, isNone: isUnknown}});
    makeChart('rtt', {
        height: 220, label: 'time, logarithmic', log: true, format: formatDuration,
        lines: [line('RTT sample', 'sky', 'points', 'rtt', true), line('smoothed RTT', 'blue', 'line', 'srtt'),
            line('RTO', 'red', 'dash', 'rto')],
        splits: (plot, axis, least, most) => {
            const list = [];
            for (let decade = 10 ** Math.floor(Math.log10(least)); decade <= most; decade *= 10)
                for (const step of most / least > 200 ? [1] : most / least > 20 ? [1, 3] : [1, 2, 3, 5, 7])
                    if (decade * step >= least && decade * step <= most)
                        list.push(decade * step);
            return list;
        },
        extent: (least, most) => least > 0 ? [least * 0.8, Math.max(most, least * 1.5) * 1.2] : [1000, 1000000],
    });
}

/* Bytes that the acknowledgments of a table have covered until an instant. */
function progress(acks) {
    return time => {
        const i = lastNotAfter(acks.at, time);
        return i < 0 ? (acks.count > 0 ? acks.acknowledged[0] : 0) : acks.acknowledged[i];
    };
}

function makeGoodput() {
    const ways = [progress(rowsOf('acked', view.connection)), progress(rowsOf('acking', view.connection))];
    let bins = 100;
    const step = () => (view.to - view.from) * 1e6 / bins;
    /* Over a round trip at least: acknowledgments come in bursts. */
    const span = () => Math.max(step(), trace.connections[view.connection].rtt_min_us);
    const rate = (way, begin) => Math.max(0, way(begin + step()) - way(begin + step() - span())) * 8e6 / span();
    const at = way => time => rate(way, view.from * 1e6 + Math.floor((time - view.from * 1e6) / step()) * step());
    const line = (label, colour, way) => ({label, colour, shape: 'area', fill: colour === 'blue' ? 'flight' : 'select',
        format: formatRate, at: at(way), source: {}});
    makeChart('goodput', {
        height: 190, label: 'bits per second', format: formatRate,
        lines: [line('sent and acknowledged', 'blue', ways[0]), line('received in order', 'orange', ways[1])],
        columns: (from, to, width) => {
            bins = Math.max(20, Math.floor(width / 8));
            const x = [], y = [[], []];
            for (let i = 0; i <= bins; i++) {
                const begin = from + Math.min(i, bins - 1) * step();
                x.push((from + i * step()) / 1e6);
                ways.forEach((way, which) => y[which].push(rate(way, begin)));
            }
            return [x, ...y];
        },
        extent: (least, most) => [0, most > 0 ? most * 1.08 : 1],
    });
}
