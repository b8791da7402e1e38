/* ---- Charts: one uPlot each, all with the same range of time and the same cursor. */

/* What is shown; times are seconds since the trace began. */
const view = {connection: 0, direction: 'sent', from: 0, to: 1, before: []};
const charts = new Map();
const axisWidth = 84;

function legendMark(entry) {
    const ns = 'http://www.w3.org/2000/svg';
    const mark = document.createElementNS(ns, 'svg');
    mark.setAttribute('class', 'mark');
    mark.setAttribute('viewBox', '0 0 14 10');
    mark.innerHTML = {
        line: '<path d="M0 5H14" stroke-width="2.5"/>',
        dash: '<path d="M0 5H14" stroke-width="2.5" stroke-dasharray="4 2.5"/>',
        area: '<rect width="14" height="10"/>',
        bar: '<rect x="5" width="4" height="10"/>',
        points: '<circle cx="3" cy="6" r="2"/><circle cx="10" cy="4" r="2"/>',
        up: '<path d="M7 0L12 10H2Z"/>',
        square: '<rect x="3" y="1" width="8" height="8"/>',
        diamond: '<path d="M7 0L12 5L7 10L2 5Z"/>',
        cross: '<path d="M3 1L11 9M11 1L3 9" stroke-width="2.5"/>',
        circle: '<circle cx="7" cy="5" r="4"/>',
    }[entry.shape || 'line'];
    mark.style.fill = mark.style.stroke = 'var(--' + entry.colour + ')';
    return mark;
}

/* A name in a legend, which hides what it stands for, and room for the value at the cursor. */
function addLegend(chart, entry, toggle) {
    const name = document.createElement('button');
    const value = document.createElement('span');
    name.className = 'name';
    name.title = entry.title || '';
    name.append(legendMark(entry), entry.label);
    value.className = 'value';
    if (entry.source)
        name.append(value);
    name.addEventListener('click', () => {
        entry.hidden = !entry.hidden;
        name.classList.toggle('off', entry.hidden);
        toggle();
    });
    document.getElementById('legend-' + chart.id).append(name);
    return value;
}

/* spec: height, lines (label, colour, shape, format, source or null), painted (label, colour, shape), and what else
 * the chart does itself: columns(), under(), over(), extent(), hover(). */
function makeChart(id, spec) {
    const host = document.getElementById('chart-' + id);
    const chart = {id, spec, host, painted: spec.painted || []};
    document.getElementById('legend-' + id).textContent = '';
    chart.values = spec.lines.map((line, i) => addLegend(chart, line, () => {
        chart.plot.setSeries(i + 1, {show: !line.hidden});
    }));
    for (const entry of chart.painted)
        addLegend(chart, entry, () => chart.plot.redraw());
    chart.plot = new uPlot(optionsOf(chart), chartColumns(chart), host);
    charts.set(id, chart);
    return chart;
}

function seriesOf(line) {
    const shape = line.shape || 'line';
    return {
        label: line.label,
        stroke: shape === 'points' ? undefined : () => theme.colour(line.colour),
        fill: shape === 'area' ? () => theme.colour(line.fill) : undefined,
        width: shape === 'area' ? 1 : 1.75,
        dash: shape === 'dash' ? [6, 4] : undefined,
        paths: shape === 'points' ? () => null : uPlot.paths.stepped({align: 1}),
        points: shape === 'points'
            ? {show: true, size: 3.5, width: 0, stroke: () => theme.colour(line.colour), fill: () => theme.colour(line.colour)}
            : {show: false},
        show: !line.hidden,
    };
}

function optionsOf(chart) {
    const {spec, host} = chart;
    const axis = {
        stroke: () => theme.colour('quiet'),
        grid: {stroke: () => theme.colour('grid'), width: 1},
        ticks: {stroke: () => theme.colour('rule'), width: 1, size: 5},
        font: '12px system-ui, sans-serif',
        labelFont: '12px system-ui, sans-serif',
    };
    return {
        width: host.clientWidth, height: spec.height,
        padding: [8, 26, 0, 0],
        legend: {show: false},
        cursor: {
            sync: {key: 'trace', setSeries: false, scales: ['x', null]},
            drag: {x: true, y: false, setScale: false, dist: 4},
            points: {show: false}, y: false,
            bind: {dblclick: () => () => (showWhole(), null)},
        },
        scales: {
            x: {time: false, range: () => [view.from, view.to]},
            y: {distr: spec.log ? 3 : 1, range: (plot, least, most) => spec.extent(least, most)},
        },
        axes: [
            {...axis, size: 34, space: 90, values: (plot, splits, index, space, increment) => timeLabels(splits, increment)},
            {...axis, size: axisWidth, label: spec.label, labelSize: 18, labelGap: 0, show: true, space: spec.log ? 24 : 34,
                splits: spec.splits, filter: spec.log ? (plot, splits) => splits : undefined,
                values: (plot, splits) => spec.ticks ? spec.ticks(splits) : tickLabels(splits, spec.format)},
        ],
        series: [{}].concat(spec.lines.map(seriesOf)),
        hooks: {
            setSelect: [plot => select(plot)],
            setCursor: [plot => moveCursor(chart, plot)],
            drawAxes: [plot => clipped(plot, () => spec.under && spec.under(plot, chart))],
            draw: [plot => clipped(plot, () => spec.over && spec.over(plot, chart))],
        },
    };
}

/* Draws within the chart's own field only. */
function clipped(plot, draw) {
    const {ctx, bbox} = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    draw();
    ctx.restore();
}

function chartColumns(chart) {
    const width = Math.max(100, chart.host.clientWidth - axisWidth);
    if (chart.spec.columns)
        return chart.spec.columns(view.from * 1e6, view.to * 1e6, width);
    return decimate(chart.spec.lines.map(line => line.source), view.from * 1e6, view.to * 1e6, width);
}

function select(plot) {
    const {left, width} = plot.select;
    if (width < 4)
        return;
    const from = plot.posToVal(left, 'x'), to = plot.posToVal(left + width, 'x');
    plot.setSelect({left: 0, top: 0, width: 0, height: 0}, false);
    setRange(from, to);
}

/* ---- The range of time. */

function connectionSpan() {
    const {begin, end} = trace.connections[view.connection];
    const pad = Math.max(0.00001, (end - begin) / 1e6 * 0.015);
    return [begin / 1e6 - pad, end / 1e6 + pad];
}

function setRange(from, to, keep = true) {
    const [first, last] = connectionSpan();
    const least = 2e-6, width = Math.min(Math.max(to - from, least), last - first);
    from = Math.min(Math.max(from, first), last - width);
    if (Math.abs(from - view.from) < 1e-9 && Math.abs(from + width - view.to) < 1e-9)
        return;
    if (keep)
        view.before.push([view.from, view.to]);
    view.from = from;
    view.to = from + width;
    refresh();
}

const showWhole = () => setRange(...connectionSpan());

function zoom(factor, at = (view.from + view.to) / 2) {
    setRange(at - (at - view.from) * factor, at + (view.to - at) * factor);
}

function goBack() {
    const before = view.before.pop();
    if (before)
        setRange(...before, false);
}

function refresh() {
    for (const chart of charts.values())
        chart.plot.setData(chartColumns(chart));
    rangeChanged();
}

/* ---- The cursor. */

let cursorTime = null;

function moveCursor(chart, plot) {
    const {left} = plot.cursor;
    const time = left < 0 ? null : plot.posToVal(left, 'x') * 1e6;
    cursorTime = time;
    const near = (view.to - view.from) * 1e6 / 100;
    chart.spec.lines.forEach((line, i) => {
        if (!line.source && !line.at)
            return;
        const value = time === null ? null : line.at ? line.at(time) : valueAt(line.source, time, near);
        chart.values[i].textContent = time === null ? '' : line.format(value);
    });
}
