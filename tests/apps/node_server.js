// Servers for node_client.js: HTTP on PORT, TLS on the next one.
//
//   node_server.js server PORT DIRECTORY              in one process
//   node_server.js cluster PORT DIRECTORY             three workers that share the listeners
//   node_server.js relay PORT DIRECTORY ADDRESS       passes every connection on to ADDRESS
//
// DIRECTORY has key.pem and certificate.pem.
'use strict';
const cluster = require('cluster');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const https = require('https');
const net = require('net');

const [kind, port, directory, address] =
    [process.argv[2], Number(process.argv[3]), process.argv[4], process.argv[5]];

// Bytes that both ends can make: AES of zeros, `length` of them.
function bytes(name, length) {
    const key = crypto.createHash('sha256').update(name).digest();
    const cipher = crypto.createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
    let left = length;
    return new (require('stream').Readable)({
        read(size) {
            const part = Math.min(left, 65536, size);
            left -= part;
            this.push(part > 0 ? cipher.update(Buffer.alloc(part)) : null);
        },
    });
}

const answers = {
    '/small': (request, response) => {
        request.resume();
        response.end('small ' + new URL(request.url, 'http://x').search);
    },
    // What comes in goes out at the same time, by pipes.
    '/echo': (request, response) => request.pipe(response),
    '/bytes': (request, response) => {
        const query = new URL(request.url, 'http://x').searchParams;
        bytes(query.get('name'), Number(query.get('length'))).on('error', () => {}).pipe(response);
    },
    // Chunks, and their digest in a trailer.
    '/trailer': (request, response) => {
        const hash = crypto.createHash('sha256');
        response.setHeader('Trailer', 'Digest');
        request.on('data', (data) => {
            hash.update(data);
            response.write(data);
        });
        request.on('end', () => {
            response.addTrailers({Digest: hash.digest('hex')});
            response.end();
        });
    },
};

function listen() {
    const handler = (request, response) => {
        request.on('error', () => {});
        const answer = answers[new URL(request.url, 'http://x').pathname];
        if (answer) {
            answer(request, response);
        } else {
            response.writeHead(404).end();
        }
    };
    const server = http.createServer({keepAliveTimeout: 600000}, handler);
    server.on('upgrade', (request, socket) => {
        socket.on('error', () => {});
        socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n');
        socket.pipe(socket); // until the client's end of stream, which is passed back
    });
    const secret = https.createServer({
        key: fs.readFileSync(directory + '/key.pem'),
        cert: fs.readFileSync(directory + '/certificate.pem'),
    }, handler);
    server.listen(port, '0.0.0.0', () => secret.listen(port + 1, '0.0.0.0'));
}

function relay(from, to) {
    net.createServer({allowHalfOpen: true}, (inner) => {
        const outer = net.connect({host: address, port: to, allowHalfOpen: true});
        for (const [one, other] of [[inner, outer], [outer, inner]]) {
            one.on('error', () => other.resetAndDestroy());
            one.on('close', () => other.destroySoon());
            one.pipe(other);
        }
    }).listen(from, '0.0.0.0');
}

if (kind === 'cluster' && cluster.isPrimary) {
    for (let number = 0; number < 3; number++) {
        cluster.fork();
    }
    process.on('SIGTERM', () => {
        cluster.disconnect(() => process.exit(0));
        for (const worker of Object.values(cluster.workers)) {
            worker.process.kill('SIGKILL');
        }
    });
} else if (kind === 'relay') {
    relay(port, port);
    relay(port + 1, port + 1);
    process.on('SIGTERM', () => process.exit(0));
} else {
    listen();
    process.on('SIGTERM', () => process.exit(0));
}
