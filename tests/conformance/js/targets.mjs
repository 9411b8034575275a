// Ordinary functions that the handlers of the invoke suite call.
export const echo = async (event) => event;

export const failing = async () => {
  const error = new Error('this function always fails');
  error.name = 'TargetError';
  throw error;
};

// Answers only where it knows for whom it runs.
export const tenant = async (event, context) => {
  if (!context.tenantId) {
    throw new Error('no tenant id');
  }
  return event;
};

export const measure = async (event) => JSON.stringify(event).length;
