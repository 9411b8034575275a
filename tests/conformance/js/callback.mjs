// Suite callback: requirements 4-N.
import { durable, failureOf } from './common.mjs';

// Callbacks are answered with JSON text; without serdes a result is that text.
const json = { deserialize: async (text) => (text === undefined ? undefined : JSON.parse(text)) };

// Creates one and waits for its answer.
const ask = async (context, name, config) => {
  const [answer] = await context.createCallback(name, { serdes: json, ...config });
  return answer;
};

const basic = durable((event, context) => ask(context, event));

const named = durable((event, context) => ask(context, 'approval'));

const timeout = durable((event, context) => ask(context, event, { timeout: { seconds: 5 } }));

const heartbeatTimeout = durable((event, context) =>
  ask(context, event, { heartbeatTimeout: { seconds: 5 } }));

const heartbeat = durable((event, context) =>
  ask(context, event, { heartbeatTimeout: { seconds: 10 } }));

const withStep = (config) => durable(async (event, context) => {
  const [answer] = await context.createCallback(event, { serdes: json, ...config });
  await context.step('between', async () => event);
  return answer;
});

const withWait = (config, seconds) => durable(async (event, context) => {
  const [answer] = await context.createCallback(event, { serdes: json, ...config });
  await context.wait('between', { seconds });
  return answer;
});

const waitAfter = durable(async (event, context) => {
  const result = await ask(context, event);
  await context.wait('after', { seconds: 2 });
  return result;
});

// Goes on after the callback's failure, and answers with what it said.
const catchAndWait = (config) => durable(async (event, context) => {
  const error = await failureOf(ask(context, event, config));
  await context.wait('after', { seconds: 2 });
  return error.message;
});

const typed = {
  deserialize: async (text) => {
    const answer = JSON.parse(text);
    return { ...answer, timestamp: new Date(answer.timestamp) };
  },
};

const typedAnswer = durable(async (event, context) => {
  const answer = await ask(context, event, { serdes: typed });
  return { received: { ...answer, timestamp: answer.timestamp.getTime() / 1000 } };
});

const numericAnswer = durable(async (event, context) => {
  const count = await ask(context, event, { serdes: { deserialize: async (text) => +text } });
  return { count, doubled: 2 * count };
});

const oneAfterTheOther = durable(async (event, context) => {
  const a = await ask(context, event[0]);
  const b = await ask(context, event[1]);
  return [a, b];
});

const both = (isReverse) => durable(async (event, context) => {
  const [a] = await context.createCallback(event[0], { serdes: json });
  const [b] = await context.createCallback(event[1], { serdes: json });
  if (!isReverse) {
    return [await a, await b];
  }
  const ofB = await b;
  return [await a, ofB];
});

const waitAndTimeout = withWait({ timeout: { seconds: 3 } }, 6);
const stepAndTimeout = withStep({ timeout: { seconds: 5 } });
const stepBetween = withStep({});
const waitBetween = withWait({}, 5);
const failureCaught = catchAndWait({});
const timeoutCaught = catchAndWait({ timeout: { seconds: 3 } });
const inOrder = both(false);
const inReverse = both(true);

export {
  basic as '4-1', named as '4-2', timeout as '4-3', heartbeatTimeout as '4-4',
  heartbeat as '4-5', basic as '4-6', stepBetween as '4-7', stepAndTimeout as '4-8', waitBetween as '4-9',
  waitBetween as '4-10', waitAndTimeout as '4-11', waitAfter as '4-12', failureCaught as '4-13',
  timeoutCaught as '4-14', typedAnswer as '4-15', numericAnswer as '4-16',
  oneAfterTheOther as '4-17', inOrder as '4-18', inReverse as '4-19',
};
