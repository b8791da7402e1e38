/* ---- The trace: JSON about it, and columns of numbers that are decoded when they are first wanted. */

const trace = JSON.parse(document.getElementById('trace').textContent);

const forms = {u8: Uint8Array, u16: Uint16Array, u32: Uint32Array, f64: Float64Array};

function decode(text, form) {
    if (Uint8Array.fromBase64)
        return new forms[form](Uint8Array.fromBase64(text).buffer);
    const bytes = atob(text), room = new Uint8Array(bytes.length);
    for (let i = 0; i < bytes.length; i++)
        room[i] = bytes.charCodeAt(i);
    return new forms[form](room.buffer);
}

const columns = new Map();

/* A whole column; its text is given up once it has been decoded. */
function column(table, name) {
    const id = table + '.' + name;
    if (!columns.has(id)) {
        const element = document.getElementById(id);
        columns.set(id, decode(element.textContent, trace.tables[table].columns[name]));
        element.textContent = '';
    }
    return columns.get(id);
}

/* The rows of a connection: each column by its name, and how many there are. */
function rowsOf(table, connection) {
    const {starts} = trace.tables[table];
    const rows = {count: starts[connection + 1] - starts[connection]};
    for (const name of Object.keys(trace.tables[table].columns))
        rows[name] = column(table, name).subarray(starts[connection], starts[connection + 1]);
    return rows;
}

/* How many of the ascending numbers are below `value`. */
function countBelow(list, value) {
    let low = 0, high = list.length;
    while (low < high) {
        const middle = (low + high) >> 1;
        if (list[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The last row that is not later than `value`, -1: there is none. */
function lastNotAfter(list, value) {
    let low = 0, high = list.length;
    while (low < high) {
        const middle = (low + high) >> 1;
        if (list[middle] <= value)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}
