/* ---- What is under the pointer. */

/* Time that five pixels are, in microseconds. */
const reach = plot => (view.to - view.from) * 1e6 / plot.over.clientWidth * 5;

function nearestSegment(plot, segments, time, place) {
    const near = reach(plot) * 1.5, height = plot.over.clientHeight, {min, max} = plot.scales.y;
    const value = max - place.top / height * (max - min), slack = (max - min) / height * 8;
    let best = -1, distance = Infinity;
    const end = Math.min(countBelow(segments.at, time + near), countBelow(segments.at, time - near) + 20000);
    for (let i = countBelow(segments.at, time - near); i < end; i++) {
        const below = segments.sequence[i] - value, above = value - segments.sequence[i] - segments.length[i];
        const off = Math.max(0, below, above) / slack;
        const far = off + Math.abs(segments.at[i] - time) / near - (segments.kind[i] > 0 ? 0.5 : 0);
        if (off <= 1 && far < distance) {
            best = i;
            distance = far;
        }
    }
    if (best < 0)
        return null;
    const kinds = {sent: ['sent', 'fast retransmission', 'sent again after a timeout', 'sent again as a probe', 'sent again', ''],
        received: ['received', '', '', '', 'came late: fills a gap, or repeats', 'received beyond a gap']};
    const first = segments.sequence[best];
    return kinds[view.direction][segments.kind[best]] + '\nbytes ' + formatCount(first) + ' to ' +
        formatCount(first + segments.length[best]) + ' (' + formatCount(segments.length[best]) + ')\nat ' +
        formatInstant(segments.at[best] / 1e6, view.to - view.from);
}

function nearestInLane(lanes, events, time, height) {
    const lane = lanes[Math.floor(lanes.length - height)];
    if (!lane)
        return null;
    const near = reach(charts.get('timeline').plot);
    let best = null, distance = near;
    for (let i = countBelow(lane.times, time - near); i < lane.times.length && lane.times[i] <= time + near; i++)
        if (Math.abs(lane.times[i] - time) <= distance) {
            distance = Math.abs(lane.times[i] - time);
            best = describeEvent(events, lane.marks[i]) + '\nat ' + formatInstant(lane.times[i] / 1e6, view.to - view.from);
        }
    if (best !== null)
        return best;
    for (let i = countBelow(lane.begins, time + near) - 1; i >= 0 && lane.begins[i] >= time - near - lane.longest; i--) {
        const span = lane.spans[i];
        if (span.to >= time - near)
            return typeof span.tip === 'function' ? span.tip() : span.tip;
    }
    return null;
}

function showTip(text, event) {
    const tip = document.getElementById('tip');
    tip.hidden = text === null;
    if (text === null)
        return;
    const [head, ...rest] = text.split('\n');
    const name = document.createElement('b');
    name.textContent = head;
    tip.replaceChildren(name, rest.length > 0 ? '\n' + rest.join('\n') : '');
    const {offsetWidth, offsetHeight} = tip;
    const left = event.clientX + 16 + offsetWidth > innerWidth ? event.clientX - 16 - offsetWidth : event.clientX + 16;
    const top = event.clientY + 16 + offsetHeight > innerHeight ? event.clientY - 16 - offsetHeight : event.clientY + 16;
    tip.style.left = Math.max(4, left) + 'px';
    tip.style.top = Math.max(4, top) + 'px';
}

function watchPointer(chart) {
    const {over} = chart.plot;
    over.addEventListener('mousemove', event => {
        const field = over.getBoundingClientRect(), place = {left: event.clientX - field.left, top: event.clientY - field.top};
        const time = (view.from + place.left / field.width * (view.to - view.from)) * 1e6;
        showTip(chart.spec.hover && event.buttons === 0 ? chart.spec.hover(chart.plot, time, place) : null, event);
    });
    over.addEventListener('mouseleave', () => showTip(null));
    over.addEventListener('wheel', event => {
        if (!event.ctrlKey && !event.shiftKey)
            return;
        event.preventDefault();
        const field = over.getBoundingClientRect(), turn = event.deltaY || event.deltaX;
        zoom(turn > 0 ? 1.4 : 1 / 1.4, view.from + (event.clientX - field.left) / field.width * (view.to - view.from));
    }, {passive: false});
}
