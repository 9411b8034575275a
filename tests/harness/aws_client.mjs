// AWS's own client for JavaScript, for a test in another language: a request a line on stdin,
// {"id", "command", "input"}, an answer a line on stdout, {"id", "output"} or {"id", "error"}.
// Bytes are {"$bytes": base64} both ways, times seconds since 1970.
//
//     AWS_... node aws_client.mjs NODE_MODULES [unix socket]
import { Agent } from 'node:http';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

const [modules, socket] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const sdk = require('@aws-sdk/client-lambda');

class UnixAgent extends Agent {
  createConnection() {
    return connect(socket);
  }
}

const client = new sdk.LambdaClient(socket === undefined ? {} : {
  endpoint: 'http://localhost',
  requestHandler: { httpAgent: new UnixAgent({ keepAlive: true }) },
});

const encode = (value) => {
  if (value instanceof Uint8Array) {
    return { $bytes: Buffer.from(value).toString('base64') };
  }
  if (value instanceof Date) {
    return value.getTime() / 1000;
  }
  if (Array.isArray(value)) {
    return value.map(encode);
  }
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, encode(item)]));
  }
  return value;
};

const decode = (value) => {
  if (Array.isArray(value)) {
    return value.map(decode);
  }
  if (value !== null && typeof value === 'object') {
    return '$bytes' in value ? Buffer.from(value.$bytes, 'base64')
      : Object.fromEntries(Object.entries(value).map(([key, item]) => [key, decode(item)]));
  }
  return value;
};

async function ask({ command, input }) {
  try {
    const { $metadata, ...output } = await client.send(new sdk[`${command}Command`](decode(input)));
    return { output: encode(output), status: $metadata.httpStatusCode };
  } catch (error) {
    return {
      error: error.name,
      message: error.message,
      status: error.$metadata?.httpStatusCode ?? 0,
    };
  }
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const request = JSON.parse(line);
  ask(request).then((answer) => {
    process.stdout.write(`${JSON.stringify({ id: request.id, ...answer })}\n`);
  });
}
