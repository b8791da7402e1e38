/* ---- Tables: connections, requests, events, and the profile. */

const rowsMax = 300;

function cell(row, text, kind = '') {
    const made = document.createElement(row.parentNode && row.parentNode.tagName === 'THEAD' ? 'th' : 'td');
    made.className = kind;
    made.append(text);
    row.append(made);
    return made;
}

/* A table of objects. columns: [name, kind, value of an object for sorting, what is shown]. */
function fillTable(table, columns, objects, onClick, chosen) {
    table.replaceChildren();
    const head = table.createTHead().insertRow(), body = table.createTBody();
    columns.forEach(([name, kind, value], i) => {
        const made = cell(head, name, kind);
        if (value)
            made.addEventListener('click', () => {
                table.order = table.order && table.order[0] === i ? [i, -table.order[1]] : [i, kind === 'number' ? -1 : 1];
                fillTable(table, columns, objects, onClick, chosen);
            });
    });
    let list = objects;
    if (table.order) {
        const [which, way] = table.order, value = columns[which][2];
        list = [...objects].sort((a, b) => (value(a) > value(b) ? way : value(a) < value(b) ? -way : 0));
    }
    for (const object of list.slice(0, rowsMax)) {
        const row = body.insertRow();
        for (const [, kind, value, show] of columns)
            cell(row, show ? show(object) : String(value(object)), kind);
        row.classList.toggle('chosen', chosen !== undefined && chosen(object));
        row.addEventListener('click', () => onClick(object));
    }
}

/* ---- Connections. */

function fillConnections() {
    const wanted = document.getElementById('filter').value.toLowerCase();
    const list = trace.connections.map((connection, number) => ({...connection, number})).filter(one =>
        (one.local + ' ' + one.remote + ' ' + one.state + ' ' + one.role).toLowerCase().includes(wanted));
    const number = (name, key, show) => [name, 'number', one => one[key], show && (one => show(one[key]))];
    fillTable(document.getElementById('connections'), [
        ['local', '', one => one.local || 'of no connection'], ['remote', '', one => one.remote || '–'],
        ['role', '', one => one.remote ? one.role : one.local ? 'listener' : '–'], ['state', '', one => one.state || '–'],
        number('began', 'begin', value => formatInstant(value / 1e6, trace.duration / 1e6)),
        ['lasted', 'number', one => one.end - one.begin, one => formatDuration(one.end - one.begin)],
        number('sent', 'bytes_out', formatBytes), number('received', 'bytes_in', formatBytes),
        number('segments out', 'segments_out', formatCount), number('in', 'segments_in', formatCount),
        number('lost', 'lost', formatCount), number('sent again', 'retransmissions', formatCount),
        number('timeouts', 'timeouts', formatCount), number('shortest RTT', 'rtt_min_us', value => formatDuration(value || null)),
    ], list, one => choose(one.number), one => one.number === view.connection);
    document.getElementById('connection-count').textContent =
        formatCount(list.length) + ' of ' + formatCount(trace.connections.length) +
        (list.length > rowsMax ? '; the first ' + rowsMax + ' are listed' : '');
}

/* ---- Requests. */

const causesOf = request => Object.entries(request.charged_ms).filter(([, ms]) => ms > 0).sort((a, b) => b[1] - a[1]);

function causeBar(request) {
    const bar = document.createElement('div'), causes = causesOf(request);
    const total = causes.reduce((sum, [, ms]) => sum + ms, 0) || 1;
    bar.className = 'bar';
    bar.title = causes.map(([cause, ms]) => cause + ': ' + formatDuration(ms * 1000)).join('\n');
    for (const [cause, ms] of causes) {
        const part = document.createElement('i');
        part.style.width = 100 * ms / total + '%';
        part.style.background = 'var(--' + causeColours[cause] + ')';
        bar.append(part);
    }
    return bar;
}

function showRequest(request) {
    choose(request.connection, false);
    const begin = request.begin_ms / 1000, took = request.took_ms / 1000, pad = Math.max(took * 0.05, 1e-5);
    setRange(begin - pad, begin + took + pad);
    scrollTo({top: document.querySelector('.charts').offsetTop - 60, behavior: 'smooth'});
}

function fillRequests() {
    const all = document.getElementById('request-all').checked;
    const list = trace.requests.filter(request => all || request.connection === view.connection);
    const number = (name, key, show = formatCount) => [name, 'number', one => one[key], one => show(one[key])];
    const who = all ? [['remote', '', one => one.remote]] : [];
    fillTable(document.getElementById('requests'), [
        ...who, number('#', 'request'), number('at', 'begin_ms', value => formatInstant(value / 1000, trace.duration / 1e6)),
        number('took', 'took_ms', value => formatDuration(value * 1000)),
        ['to blame', '', one => one.blame], ['where the time went', '', null, causeBar],
        number('sent', 'bytes_sent', formatBytes), number('received', 'bytes_received', formatBytes),
        number('segments out', 'segments_out'), number('in', 'segments_in'), number('lost', 'lost'),
        number('sent again', 'retransmissions'), number('timeouts', 'timeouts'),
        ['calls', '', one => one.first_call, one => one.first_call ? one.first_call + ' to ' + one.last_call : '–'],
        ['longest wait', '', one => one.longest_wait_ms || 0, one => one.longest_wait_ms === undefined ? '–'
            : formatDuration(one.longest_wait_ms * 1000) + ' for ' + one.longest_wait_for],
    ], list, showRequest);
    const shown = new Set(list.slice(0, rowsMax).flatMap(request => causesOf(request).map(([cause]) => cause)));
    const legend = document.getElementById('cause-legend');
    legend.replaceChildren(...trace.causes.filter(cause => shown.has(cause)).map(cause => {
        const name = document.createElement('span');
        name.className = 'name';
        name.title = trace.cause_texts[trace.causes.indexOf(cause)];
        name.append(legendMark({shape: 'area', colour: causeColours[cause]}), cause);
        return name;
    }));
    document.getElementById('request-count').textContent = formatCount(list.length) + ' requests, slowest first' +
        (trace.request_count > trace.requests.length
            ? '; the slowest ' + formatCount(trace.requests.length) + ' of ' + formatCount(trace.request_count) + ' are here' : '');
}

/* ---- Events. */

function fillEvents() {
    const {events} = view, [begin, end] = inView(events);
    const list = [];
    for (let row = begin; row < end && list.length < rowsMax; row++)
        if (events.type[row] !== eventType.CALL_WAITS)
            list.push(row);
    fillTable(document.getElementById('events'), [
        ['at', 'number', null, row => formatInstant(events.at[row] / 1e6, 1e-3)],
        ['event', '', null, row => eventName(events, row)],
        ['numbers', '', null, row => eventNumbers(events, row)],
        ['application call', 'wide', null, row => describeCause(events, row) || '–'],
    ], list, row => {
        const at = events.at[row] / 1e6, half = Math.max((view.to - view.from) / 8, 1e-4);
        setRange(at - half, at + half);
    });
    document.getElementById('event-count').textContent = formatCount(end - begin) +
        (end - begin > rowsMax ? '; the first ' + rowsMax + ' are listed' : '') + '. A click zooms to one.';
}
