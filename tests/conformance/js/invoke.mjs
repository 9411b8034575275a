// Suite invoke: requirements 5-N.
import { durable, failureOf } from './common.mjs';

const LARGE = 1000 * 1000; // near the 1 MiB that a chained invoke may carry

const { CONFORMANCE_ECHO, CONFORMANCE_FAILING, CONFORMANCE_MEASURE, CONFORMANCE_TENANT } =
  process.env;

// With a name, since invoke(f, text) would read as the name and the function.
const echo = (context, payload, config) =>
  context.invoke('echo', CONFORMANCE_ECHO, payload, config);

const failing = (context, payload) => context.invoke('failing', CONFORMANCE_FAILING, payload);

const basic = durable((event, context) => echo(context, event));

const named = durable((event, context) =>
  context.invoke(event.name, CONFORMANCE_ECHO, event.payload));

const nullPayload = durable((event, context) => echo(context, null));

const fails = durable((event, context) => failing(context, event));

const caught = durable(async (event, context) => {
  await failureOf(failing(context, event));
  return 'fallback';
});

const large = durable(async (event, context) => {
  const payload = 'x'.repeat(LARGE - 2); // and its quotes
  const measured = await context.invoke('measure', CONFORMANCE_MEASURE, payload);
  if (measured !== LARGE) {
    throw new Error(`the target saw ${measured} bytes`);
  }
  return measured;
});

const forTenant = durable((event, context) =>
  context.invoke('for-tenant', CONFORMANCE_TENANT, event.payload, { tenantId: event.tenantId }));

const thenWait = durable(async (event, context) => {
  const result = await echo(context, event);
  await context.wait({ seconds: 1 });
  return result;
});

const caughtThenWait = durable(async (event, context) => {
  await failureOf(failing(context, event));
  await context.wait({ seconds: 1 });
});

const afterStep = durable(async (event, context) => {
  const value = await context.step(async () => 'from the step');
  return echo(context, value);
});

const beforeStep = durable(async (event, context) => {
  const value = await echo(context, event);
  return context.step(async () => value);
});

const inChild = durable((event, context) =>
  context.runInChildContext((child) => echo(child, event)));

const twice = durable(async (event, context) => {
  const first = await echo(context, event);
  return echo(context, first);
});

const upper = (text) => text.toUpperCase();

const payloadSerdes = durable((event, context) => echo(context, event, {
  payloadSerdes: {
    serialize: async (value) => JSON.stringify({ data: upper(value.data) }),
    deserialize: async (text) => JSON.parse(text),
  },
}));

const resultSerdes = durable((event, context) => echo(context, event, {
  resultSerdes: {
    serialize: async (value) => JSON.stringify(value),
    deserialize: async (text) => upper(JSON.parse(text)),
  },
}));

export {
  basic as '5-1', named as '5-2', basic as '5-3', nullPayload as '5-4', fails as '5-5',
  caught as '5-6', large as '5-7', forTenant as '5-8', thenWait as '5-9',
  caughtThenWait as '5-10', afterStep as '5-11', beforeStep as '5-12', inChild as '5-13',
  twice as '5-14', payloadSerdes as '5-15', resultSerdes as '5-16',
};
