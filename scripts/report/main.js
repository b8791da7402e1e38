/* ---- The page. */

/* The connection that moved the most is the one to begin with. */
function busiest() {
    let best = 0;
    const weight = ({bytes_out, bytes_in, remote}) => remote === '' ? -1 : bytes_out + bytes_in;
    trace.connections.forEach((connection, i) => {
        if (weight(connection) > weight(trace.connections[best]))
            best = i;
    });
    return best;
}

function drawCharts() {
    for (const chart of charts.values())
        chart.plot.destroy();
    charts.clear();
    makeSequence();
    makeWindow();
    makeRoundTrips();
    makeGoodput();
    makeTimeline();
    charts.forEach(watchPointer);
}

function fillDirection() {
    const place = document.getElementById('direction');
    place.replaceChildren(...['sent', 'received'].map(direction => {
        const made = document.createElement('button');
        made.textContent = direction;
        made.setAttribute('aria-pressed', String(view.direction === direction));
        made.addEventListener('click', () => {
            view.direction = direction;
            fillDirection();
            drawCharts();
        });
        return made;
    }));
}

function choose(connection, whole = true) {
    if (connection === view.connection && charts.size > 0 && !whole)
        return;
    const {bytes_out, bytes_in} = trace.connections[connection];
    view.connection = connection;
    view.direction = bytes_out >= bytes_in ? 'sent' : 'received';
    [view.from, view.to] = connectionSpan();
    view.before = [];
    fillDirection();
    drawCharts();
    fillConnections();
    fillRequests();
    rangeChanged();
}

/* The list of events follows when the range has come to rest. */
let eventsLater = 0;

function rangeChanged() {
    const span = view.to - view.from;
    document.getElementById('range').textContent = formatInstant(view.from, span) + ' – ' + formatInstant(view.to, span) +
        ' (' + formatDuration(span * 1e6) + ')';
    clearTimeout(eventsLater);
    eventsLater = setTimeout(fillEvents, 60);
    try {
        history.replaceState(null, '', '#connection=' + view.connection + '&from=' + view.from.toFixed(6) + '&to=' + view.to.toFixed(6));
    } catch { /* a page may be shown where it has no address */
    }
}

/* A link may say what to show. */
function fromAddress() {
    const wanted = new URLSearchParams(location.hash.slice(1));
    const connection = Number(wanted.get('connection') ?? NaN);
    const from = Number(wanted.get('from') ?? NaN), to = Number(wanted.get('to') ?? NaN);
    choose(Number.isInteger(connection) && connection >= 0 && connection < trace.connections.length ? connection : busiest());
    if (to > from)
        setRange(from, to);
}

function describeTrace() {
    const began = new Date(trace.began_ms);
    document.title = trace.program + ' – Daytona';
    document.getElementById('program').textContent = trace.program + '[' + trace.pid + ']';
    document.getElementById('summary').textContent = began.toISOString().replace('T', ' ').slice(0, 19) + ' UTC, ' +
        formatDuration(trace.duration) + ', ' + formatCount(trace.events) + ' events, ' +
        formatCount(trace.connections.length) + ' connections, ' + formatCount(trace.request_count) + ' requests';
    const warning = document.getElementById('warning');
    const words = [];
    if (trace.missed > 0)
        words.push(formatCount(trace.missed) + ' events were overwritten before they could be recorded: what they tell is missing.');
    if (!trace.segments)
        words.push('No segments were recorded: sequence numbers and goodput are missing. Record all events for them.');
    warning.textContent = words.join(' ');
    warning.hidden = words.length === 0;
}

const keys = {
    '+': () => zoom(0.5), '=': () => zoom(0.5), '-': () => zoom(2), '0': () => showWhole(), 'Backspace': () => goBack(),
    'ArrowLeft': () => setRange(view.from - (view.to - view.from) / 4, view.to - (view.to - view.from) / 4),
    'ArrowRight': () => setRange(view.from + (view.to - view.from) / 4, view.to + (view.to - view.from) / 4),
};

function listen() {
    const click = (id, act) => document.getElementById(id).addEventListener('click', act);
    click('in', () => zoom(0.5));
    click('out', () => zoom(2));
    click('back', goBack);
    click('whole', showWhole);
    document.getElementById('filter').addEventListener('input', fillConnections);
    document.getElementById('request-all').addEventListener('change', fillRequests);
    document.addEventListener('keydown', event => {
        if (event.target.tagName === 'INPUT' || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key])
            return;
        event.preventDefault();
        keys[event.key]();
    });
    let width = innerWidth;
    addEventListener('resize', () => {
        if (innerWidth === width)
            return;
        width = innerWidth;
        for (const chart of charts.values())
            chart.plot.setSize({width: chart.host.clientWidth, height: chart.spec.height});
        refresh();
    });
    theme.changed = () => {
        charts.forEach(chart => chart.plot.redraw());
        inkProfile();
    };
}

listen();
beginTheme();
describeTrace();
fillProfile();
if (trace.connections.length > 0)
    fromAddress();
document.documentElement.dataset.ready = 'yes';
