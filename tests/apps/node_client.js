// Asks node_server.js for all that it can do, and says of each whether it was right.
//
//   node_client.js ADDRESS PORT LOAD
'use strict';
const crypto = require('crypto');
const http = require('http');
const https = require('https');
const net = require('net');

const [address, port, load] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const agent = new http.Agent({keepAlive: true, maxSockets: 10});

function collect(stream) {
    return new Promise((resolve, reject) => {
        const parts = [];
        stream.on('data', (part) => parts.push(part));
        stream.on('end', () => resolve(Buffer.concat(parts)));
        stream.on('error', reject);
    });
}

function ask(path, options, body) {
    return new Promise((resolve, reject) => {
        const request = (options.tls ? https : http).request(
            {host: address, port: port + (options.tls ? 1 : 0), path, agent: options.tls ? undefined : agent,
             method: body ? 'POST' : 'GET', ...options},
            (response) => collect(response).then((data) => resolve({response, data}), reject));
        request.on('error', reject);
        request.end(body);
    });
}

function expect(truth, words) {
    if (!truth) {
        throw new Error(words);
    }
}

function made(name, length) {
    const key = crypto.createHash('sha256').update(name).digest();
    return crypto.createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

const several = (count, start) => Promise.all(Array.from({length: count}, (_, number) => start(number)));

const claims = {
    'a hundred small requests on kept-alive connections': async () => {
        const sockets = new Set();
        await several(100 * load, async (number) => {
            const {response, data} = await ask(`/small?${number}`, {});
            sockets.add(response.socket ?? response.req.socket);
            expect(data.toString() === `small ?${number}`, `${number}: ${data}`);
        });
        expect(sockets.size <= 10, `${sockets.size} connections`);
    },
    'bodies both ways at once': () => several(6, async (number) => {
        const body = crypto.randomBytes(700000 * load);
        const {data} = await ask('/echo', {}, body);
        expect(data.equals(body), `echo ${number} differs`);
        const {data: long} = await ask(`/bytes?name=${number}&length=${1500000 * load}`, {});
        expect(long.equals(made(String(number), 1500000 * load)), `bytes ${number} differ`);
    }),
    'chunks with trailers': async () => {
        const body = crypto.randomBytes(300000);
        const {response, data} = await ask('/trailer', {headers: {'Transfer-Encoding': 'chunked'}}, body);
        expect(data.equals(body), 'data differ');
        expect(response.trailers.digest === crypto.createHash('sha256').update(body).digest('hex'), 'trailer');
    },
    'an aborted download': () => several(5, () => new Promise((resolve, reject) => {
        const request = http.get({host: address, port, path: '/bytes?name=x&length=50000000', agent}, (response) => {
            response.once('data', () => {
                response.on('error', () => {});
                request.on('close', resolve);
                request.destroy();
            });
        });
        request.on('error', reject);
    })),
    'an aborted upload': () => several(5, () => new Promise((resolve) => {
        const request = http.request({host: address, port, path: '/echo', method: 'POST', agent});
        request.on('error', () => {});
        request.on('close', resolve);
        request.write(crypto.randomBytes(100000), () => request.destroy());
    })),
    'an upgrade to raw bytes': () => new Promise((resolve, reject) => {
        const request = http.get({host: address, port, path: '/echo', agent: false,
                                  headers: {Connection: 'Upgrade', Upgrade: 'echo'}});
        request.on('error', reject);
        request.on('upgrade', (response, socket, head) => {
            const body = crypto.randomBytes(400000);
            collect(socket).then((data) => {
                expect(Buffer.concat([head, data]).equals(body), 'raw bytes differ');
                resolve();
            }).catch(reject);
            socket.setNoDelay(true);
            socket.write(body.subarray(0, 1));
            socket.cork();
            socket.write(body.subarray(1, 1000));
            socket.write(body.subarray(1000, 2000));
            socket.uncork();
            socket.end(body.subarray(2000));
        });
    }),
    'half-closed connections': () => several(20, async (number) => {
        const socket = net.connect({host: address, port, allowHalfOpen: true});
        socket.end(`GET /small?${number} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
        const answer = (await collect(socket)).toString();
        expect(answer.endsWith(`small ?${number}`), answer);
    }),
    'TLS': () => several(6, async (number) => {
        const body = crypto.randomBytes(300000 * load);
        const {data} = await ask('/echo', {tls: true, servername: 'server', checkServerIdentity() {}}, body);
        expect(data.equals(body), `echo ${number} differs`);
    }),
};

(async () => {
    for (const [claim, check] of Object.entries(claims)) {
        try {
            await check();
            console.log(`${claim}: right`);
        } catch (error) {
            console.log(`${claim}: ${error.stack}`);
        }
    }
    agent.destroy();
})();
