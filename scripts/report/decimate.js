/* ---- As many points as can be seen.
 *
 * A source has ascending times `at` in microseconds and `value`, of the same length; `points: true` when the values
 * stand for themselves, else each holds until the next; `isNone(value)` when a value means that there is none.
 * Few rows are drawn as they are. Of many, each pixel gets the value it begins with, the least, the greatest and the
 * last one, which looks the same. */

const neverNone = () => false;

function exactly(sources, from, to) {
    const times = [from, to];
    for (const {at, low, high} of sources)
        for (let i = low; i < high; i++)
            if (at[i] > from && at[i] < to)
                times.push(at[i]);
    times.sort((a, b) => a - b);
    const x = times.filter((time, i) => i === 0 || time !== times[i - 1]);
    return [x.map(time => time / 1e6)].concat(sources.map(source => {
        const {at, value, points, isNone = neverNone} = source;
        let i = source.low - 1;
        return x.map(time => {
            const before = i;
            while (i + 1 < at.length && at[i + 1] <= time)
                i++;
            if (i < 0 || (points && (i === before || at[i] !== time)) || isNone(value[i]))
                return null;
            return value[i];
        });
    }));
}

/* The columns of one source; -1 stands for no value while it runs, as all values are positive. */
function pixelsOf({at, value, points, isNone, low, high}, from, step, width) {
    const y = new Array(4 * width).fill(null), put = (place, number) => {
        if (number >= 0 && number !== Infinity)
            y[place] = number;
    };
    const known = number => (isNone !== undefined && isNone(number) ? -1 : number);
    let i = low, held = low > 0 && !points ? known(value[low - 1]) : -1;
    for (let pixel = 0; pixel < width; pixel++) {
        const end = from + step * (pixel + 1);
        let least = held < 0 ? Infinity : held, greatest = held;
        if (!points)
            put(4 * pixel, held);
        for (; i < high && at[i] < end; i++) {
            const now = value[i];
            if (isNone !== undefined && isNone(now)) {
                held = -1;
                continue;
            }
            held = now;
            if (now < least)
                least = now;
            if (now > greatest)
                greatest = now;
        }
        put(4 * pixel + 1, least);
        put(4 * pixel + 2, greatest);
        if (points)
            held = -1;
        else
            put(4 * pixel + 3, held);
    }
    return y;
}

function byPixel(sources, from, to, width) {
    const step = (to - from) / width, x = new Array(4 * width);
    for (let pixel = 0; pixel < width; pixel++)
        for (let part = 0; part < 4; part++)
            x[4 * pixel + part] = (from + step * (pixel + part / 4)) / 1e6;
    return [x].concat(sources.map(source => pixelsOf(source, from, step, width)));
}

/* Columns for uPlot: x in seconds, and a y for each source. `from` and `to` are microseconds. */
function decimate(sources, from, to, width) {
    let rows = 0;
    const found = sources.map(source => {
        const low = countBelow(source.at, from), high = countBelow(source.at, to + 1);
        rows += high - low;
        return {...source, low, high};
    });
    return rows <= 3 * width ? exactly(found, from, to) : byPixel(found, from, to, width);
}

/* The value of a source at an instant, null when there is none. Of points, the nearest within `near`. */
function valueAt({at, value, points, isNone = neverNone}, time, near) {
    let i = lastNotAfter(at, time);
    if (points && i + 1 < at.length && (i < 0 || at[i + 1] - time < time - at[i]))
        i++;
    if (i < 0 || isNone(value[i]) || (points && Math.abs(at[i] - time) > near))
        return null;
    return value[i];
}
