/* ---- The time line: what the program called, what limited the sender, requests, recoveries and single events,
 * each in a lane. */

const laneHeight = 24;

const eventType = Object.fromEntries(trace.kinds.map((kind, i) => [kind.name, i]));

/* Which lane a single event is in, with its mark and colour. */
const marks = {
    LOSS: ['loss', 'cross', 'red'], RETRANSMIT: ['loss', 'up', 'red'], TIMEOUT: ['loss', 'square', 'red'],
    TAIL_PROBE: ['loss', 'diamond', 'orange'], UNDO: ['loss', 'circle', 'green'], DSACK: ['loss', 'circle', 'purple'],
    REORDER: ['loss', 'diamond', 'purple'], OUT_OF_ORDER: ['loss', 'up', 'orange'],
    ZERO_WINDOW: ['path', 'square', 'orange'], PROBE: ['path', 'diamond', 'orange'], ICMP: ['path', 'cross', 'purple'],
    PATH_MTU: ['path', 'circle', 'purple'], ECN: ['path', 'up', 'purple'], DELAYED_ACK: ['path', 'circle', 'sky'],
    STATE: ['state', 'circle', 'blue'], RESET: ['state', 'cross', 'red'], CONGESTION: ['state', 'diamond', 'blue'],
    MSS: ['state', 'up', 'grey'], CHALLENGE_ACK: ['state', 'square', 'orange'], DROP: ['state', 'cross', 'orange'],
    BAD_CHECKSUM: ['state', 'cross', 'purple'], LISTEN_OVERFLOW: ['state', 'square', 'red'], COOKIE: ['state', 'up', 'purple'],
};
const markOf = trace.kinds.map(kind => marks[kind.name]);

const callColours = {send: 'blue', receive: 'green', connect: 'orange', accept: 'orange', shutdown: 'purple', close: 'purple'};

function addSpan(lane, from, to, colour, text, tip) {
    lane.spans.push({from, to, colour, text, tip});
}

/* What a call of the program did. */
function describeCall(events, row) {
    const result = events.b[row];
    return 'call ' + events.call[row] + ': ' + trace.words[events.reason[row]] +
        (events.a[row] > 0 ? ' of ' + formatCount(events.a[row]) + ' bytes' : '') +
        (result === -11 ? ', would have to wait' : result < 0 ? ', failed (errno ' + -result + ')' : ' → ' + formatCount(result)) +
        ', ' + formatDuration(events.d[row] / 1000);
}

/* Calls by their numbers, and those that sent by the sequence numbers of their bytes. */
function indexCalls(events) {
    events.calls = new Map();
    events.sends = [];
    for (let row = 0; row < events.count; row++)
        if (events.type[row] === eventType.CALL) {
            events.calls.set(events.call[row], row);
            if (trace.words[events.reason[row]] === 'send' && events.b[row] > 0)
                events.sends.push(row);
        }
    events.sent = Float64Array.from(events.sends, row => events.c[row]);
}

const aboutBytes = new Set(['RETRANSMIT', 'LOSS', 'TAIL_PROBE', 'DSACK', 'ICMP']);

/* The call that an event belongs to: of what is about bytes the one that wrote them, else the one that began last. */
function describeCause(events, row) {
    const kind = trace.kinds[events.type[row]], field = kind.fields.findIndex(([, unit]) => unit === 'sequence');
    if (aboutBytes.has(kind.name)) {
        const sequence = events['abcd'[field]][row], i = lastNotAfter(events.sent, sequence);
        if (i >= 0 && sequence < events.sent[i] + events.b[events.sends[i]])
            return 'bytes of ' + describeCall(events, events.sends[i]);
    }
    const call = events.calls.get(events.call[row]);
    if (events.call[row] === 0)
        return '';
    return call === row ? describeCall(events, row) : 'after ' + (call === undefined ? 'call ' + events.call[row] : describeCall(events, call));
}

function describeEvent(events, row) {
    const numbers = eventNumbers(events, row);
    const kind = trace.kinds[events.type[row]];
    const text = eventName(events, row) + (numbers ? '\n' + numbers : '') + '\n' + kind.description + '; ' + kind.source;
    const cause = describeCause(events, row);
    return cause ? text + '\n' + cause : text;
}

function takeLimited(lanes, events, row, connection) {
    const end = events.at[row], begin = Math.max(connection.begin, end - events.c[row]), limit = events.a[row];
    if (end > begin && limit > 0)
        addSpan(lanes.limited, begin, end, limitColours[limit], trace.limits[limit],
            'limited by: ' + trace.limits[limit] + '\nfor ' + formatDuration(end - begin));
}

function takeRow(lanes, events, row, state) {
    const type = events.type[row], at = events.at[row];
    if (type === eventType.CALL) {
        addSpan(lanes.calls, at - events.d[row] / 1000, at, callColours[trace.words[events.reason[row]]] || 'grey',
            trace.words[events.reason[row]], () => describeCall(events, row));
    } else if (type === eventType.LIMITED) {
        takeLimited(lanes, events, row, trace.connections[view.connection]);
        state.limit = row;
    } else if (type === eventType.RECOVERY_ENTER) {
        state.recovery = at;
    } else if (type === eventType.RECOVERY_EXIT) {
        if (state.recovery !== null)
            addSpan(lanes.recovery, state.recovery, at, 'red', 'recovery', 'recovery (' + trace.words[events.reason[row]] +
                ')\nfor ' + formatDuration(at - state.recovery));
        state.recovery = null;
    } else if (type === eventType.TIMEOUT && state.recovery === null) {
        state.recovery = at;
    }
    if (markOf[type])
        lanes[markOf[type][0]].marks.push(row);
}

function takeRequests(lane) {
    for (const request of trace.requests)
        if (request.connection === view.connection)
            addSpan(lane, request.begin_ms * 1000, (request.begin_ms + request.took_ms) * 1000, causeColours[request.blame],
                '#' + request.request + ' ' + request.blame, 'request ' + request.request + ': ' +
                formatDuration(request.took_ms * 1000) + ', ' + request.blame + '\n' + causesOf(request).slice(0, 4)
                    .map(([cause, ms]) => cause + ' ' + formatDuration(ms * 1000)).join('\n'));
}

function lanesOf(events) {
    const lane = name => ({name, spans: [], marks: []});
    const lanes = {requests: lane('requests'), calls: lane('calls'), limited: lane('limited by'), recovery: lane('recovery'),
        loss: lane('losses'), path: lane('path, windows'), state: lane('connection')};
    const connection = trace.connections[view.connection], state = {recovery: null, limit: null};
    for (let row = 0; row < events.count; row++)
        takeRow(lanes, events, row, state);
    if (state.limit !== null)
        addSpan(lanes.limited, events.at[state.limit], connection.end, limitColours[events.b[state.limit]],
            trace.limits[events.b[state.limit]], 'limited by: ' + trace.limits[events.b[state.limit]] + ', to the end');
    if (state.recovery !== null)
        addSpan(lanes.recovery, state.recovery, connection.end, 'red', 'recovery', 'recovery, to the end');
    takeRequests(lanes.requests);
    for (const one of Object.values(lanes)) {
        one.spans.sort((a, b) => a.from - b.from);
        one.begins = Float64Array.from(one.spans, span => span.from);
        one.longest = one.spans.reduce((most, span) => Math.max(most, span.to - span.from), 0);
        one.times = Float64Array.from(one.marks, row => events.at[row]);
    }
    return Object.values(lanes).filter(one => one.spans.length + one.marks.length > 0);
}

function drawSpans(plot, lane, top) {
    const {ctx, bbox} = plot, {x} = placing(plot), dense = uPlot.pxRatio, height = laneHeight * 0.62 * dense;
    const end = countBelow(lane.begins, view.to * 1e6);
    let covered = -1;
    ctx.textBaseline = 'middle';
    ctx.textAlign = 'left';
    ctx.font = 11 * dense + 'px system-ui, sans-serif';
    for (let i = countBelow(lane.begins, view.from * 1e6 - lane.longest); i < end; i++) {
        const span = lane.spans[i], left = Math.max(bbox.left, x(span.from)), right = Math.min(bbox.left + bbox.width, x(span.to));
        if (right < bbox.left || (right <= covered && right - left < dense))
            continue;
        const width = Math.max(1.5 * dense, right - left - (right - left > 4 * dense ? dense : 0));
        covered = left + width;
        ctx.fillStyle = theme.colour(span.colour);
        ctx.fillRect(left, top - height / 2, width, height);
        if (width > ctx.measureText(span.text).width + 10 * dense) {
            ctx.fillStyle = theme.inkOn(span.colour);
            ctx.fillText(span.text, left + 5 * dense, top + dense / 2);
        }
    }
}

function drawMarks(plot, lane, events, top) {
    const {ctx} = plot, {x} = placing(plot), size = 4.5 * uPlot.pxRatio;
    const begin = countBelow(lane.times, view.from * 1e6), end = countBelow(lane.times, view.to * 1e6 + 1);
    const drawn = {};
    for (let i = begin; i < end; i++) {
        const [, shape, colour] = markOf[events.type[lane.marks[i]]], across = x(lane.times[i]);
        if (Math.abs(drawn[shape + colour] - across) < 2)
            continue;
        drawn[shape + colour] = across;
        ctx.fillStyle = theme.colour(colour);
        ctx.strokeStyle = shape === 'cross' ? theme.colour(colour) : theme.colour('card');
        ctx.lineWidth = uPlot.pxRatio;
        drawMark(ctx, shape, across, top, size);
    }
}

function makeTimeline() {
    const events = rowsOf('event', view.connection);
    indexCalls(events);
    const lanes = lanesOf(events), middle = i => lanes.length - i - 0.5;
    view.events = events;
    const there = new Set(lanes.flatMap(lane => lane.marks.map(row => trace.kinds[events.type[row]].name)));
    makeChart('timeline', {
        height: Math.max(1, lanes.length) * laneHeight + 46, label: '', lanes, events,
        lines: [{label: '', source: {at: [], value: []}, format: () => ''}],
        painted: Object.keys(marks).filter(name => there.has(name))
            .map(name => ({label: name.toLowerCase().replaceAll('_', ' '), shape: marks[name][1], colour: marks[name][2],
                title: trace.kinds[eventType[name]].description})),
        extent: () => [0, Math.max(1, lanes.length)],
        splits: () => lanes.map((lane, i) => middle(i)).reverse(),
        ticks: splits => splits.map(value => lanes[lanes.length - Math.floor(value) - 1].name),
        under: plot => lanes.forEach((lane, i) => {
            drawSpans(plot, lane, placing(plot).y(middle(i)));
            drawMarks(plot, lane, events, placing(plot).y(middle(i)));
        }),
        hover: (plot, time, place) => nearestInLane(lanes, events, time, plot.posToVal(place.top, 'y')),
    });
}
