// Suite wait: requirements 2-N.
import { durable } from './common.mjs';

const basic = durable((event, context) => context.wait({ seconds: 2 }));

const named = durable((event, context) => context.wait('custom_wait_name', { seconds: 2 }));

const twoWaits = durable(async (event, context) => {
  await context.wait('wait-1', { seconds: 2 });
  await context.wait('wait-2', { seconds: 2 });
  return { completedWaits: 2 };
});

const oneMinute = durable((event, context) => context.wait({ minutes: 1 }));

const oneHour = durable((event, context) => context.wait({ hours: 1 }));

export {
  basic as '2-1', named as '2-2', twoWaits as '2-3', oneMinute as '2-4', oneHour as '2-5',
};
