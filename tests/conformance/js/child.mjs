// Suite child: requirements 3-N.
import {
  CrashOnStart, durable, fail, failFirst, failureOf, noRetry, retry, retryEachSecond,
  upperSerdes,
} from './common.mjs';

const LARGE = 300 * 1024; // over the 256 KiB that are stored of a result

const returnStep = (context, value, name = 'work') => context.step(name, async () => value);

const oneStep = (value) => (child) => returnStep(child, value);

const basic = durable((event, context) => context.runInChildContext('child', oneStep(event)));

const named = durable((event, context) =>
  context.runInChildContext(event.name, oneStep(event.value)));

const sequential = durable((event, context) =>
  context.runInChildContext('child', async (child) => {
    const first = await returnStep(child, event, 'first');
    return returnStep(child, first, 'second');
  }));

const failingStep = (child) => child.step('fails', fail, noRetry);

const fails = durable((event, context) => context.runInChildContext('child', failingStep));

const caught = durable(async (event, context) => {
  await failureOf(context.runInChildContext('child', failingStep));
  return returnStep(context, event, 'recover');
});

const nested = durable((event, context) =>
  context.runInChildContext('outer', async (outer) => {
    await returnStep(outer, event, 'outer-step');
    return outer.runInChildContext('inner', oneStep(event));
  }));

const retried = durable((event, context) => context.runInChildContext('child',
  (child) => child.step('flaky', failFirst(event), retryEachSecond)));

const exhausted = durable((event, context) => context.runInChildContext('child',
  (child) => child.step('fails', fail, retry({ maxAttempts: 2, initialDelay: { seconds: 1 } }))));

const replayed = durable(async (event, context) => {
  const result = await context.runInChildContext('child', oneStep(event));
  await context.wait('after', { seconds: 1 });
  return result;
});

const stepThenWait = (value) => async (child) => {
  const result = await returnStep(child, value);
  await child.wait('inside', { seconds: 1 });
  return result;
};

const mixed = durable((event, context) =>
  context.runInChildContext('child', stepThenWait(event)));

// The result is not stored, so the replay makes it again: whole.
const large = durable(async (event, context) => {
  const result = await context.runInChildContext('child', async (child) => {
    child.configureLogger({ modeAware: false }); // a context's own: replays are logged too
    child.logger.info(`child runs with ${event}`);
    const small = await returnStep(child, event);
    return small[0].repeat(LARGE);
  });
  await context.wait('after', { seconds: 1 });
  if (result !== event[0].repeat(LARGE)) {
    throw new Error('the large result came back wrong');
  }
  return result.length;
});

const crashing = new CrashOnStart();

const interrupted = durable((event, context) => context.runInChildContext('child',
  (child) => child.step('crashes',
    () => (crashing.isFirst ? new Promise(() => {}) : Promise.resolve(event)))),
{ plugins: [crashing] });

const waitInside = durable(async (event, context) => {
  const value = await context.runInChildContext('child', async (child) => {
    await child.wait('inside', { seconds: 1 });
    return event;
  });
  return returnStep(context, value, 'outside');
});

const customSerdes = durable((event, context) =>
  context.runInChildContext('child', oneStep(event), { serdes: upperSerdes }));

const failsItself = durable((event, context) => context.runInChildContext('child', fail));

const nullResult = durable((event, context) =>
  context.runInChildContext('child', async () => null));

const logs = durable(async (event, context) => {
  const result = await context.runInChildContext('child', async (child) => {
    child.configureLogger({ modeAware: false }); // a context's own: replays are logged too
    child.logger.info(`child runs with ${event}`);
    return event;
  });
  await context.wait('after', { seconds: 1 });
  return result;
});

const mixedInsideAndAfter = durable(async (event, context) => {
  const value = await context.runInChildContext('child', stepThenWait(event));
  const result = await returnStep(context, value, 'outside');
  await context.wait('after', { seconds: 1 });
  return result;
});

export {
  basic as '3-1', named as '3-2', sequential as '3-3', fails as '3-4', caught as '3-5',
  nested as '3-6', retried as '3-7', exhausted as '3-8', replayed as '3-9', mixed as '3-10',
  large as '3-11', interrupted as '3-12', waitInside as '3-13', customSerdes as '3-14',
  failsItself as '3-15', nullResult as '3-16', logs as '3-17', mixedInsideAndAfter as '3-18',
};
