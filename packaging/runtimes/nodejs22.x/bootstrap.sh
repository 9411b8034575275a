#!/bin/sh
# Starts a function of the runtime nodejs22.x: its handler, in Node.js, under AWS's runtime
# interface client. In an environment this directory is /var/runtime.
runtime=${0%/*}

export AWS_EXECUTION_ENV="${AWS_EXECUTION_ENV:-AWS_Lambda_nodejs22.x}"
export LAMBDA_RUNTIME_DIR="${LAMBDA_RUNTIME_DIR:-$runtime}"
layers=/opt/nodejs/node22/node_modules:/opt/nodejs/node_modules
export NODE_PATH="${NODE_PATH:-$layers:$runtime/node_modules:$runtime:$LAMBDA_TASK_ROOT}"

# As AWS's runtime does: nine tenths of the memory for old objects, a twentieth for young ones;
# and two features that Node.js calls experimental are off unless the function turns them on.
memory_mb=${AWS_LAMBDA_FUNCTION_MEMORY_SIZE:-128}
set -- --max-old-space-size=$((memory_mb * 9 / 10)) --max-semi-space-size=$((memory_mb / 20))
case " $NODE_OPTIONS " in
*" --experimental-require-module "*) ;;
*) set -- "$@" --no-experimental-require-module ;;
esac
case " $NODE_OPTIONS " in
*" --experimental-detect-module "*) ;;
*) set -- "$@" --no-experimental-detect-module ;;
esac

# Several invocations at once (AWS_LAMBDA_MAX_CONCURRENCY): AWS's client starts threads that each
# wait for one. Its native part would wait in Node.js's own few threads, and leave none to read
# files with; and a thread for each of the processors is enough.
if [ -n "${AWS_LAMBDA_MAX_CONCURRENCY:-}" ]; then
    : "${AWS_LAMBDA_NODEJS_USE_ALTERNATIVE_CLIENT_1:=true}"
    : "${AWS_LAMBDA_NODEJS_WORKER_COUNT:=$(nproc)}"
    export AWS_LAMBDA_NODEJS_USE_ALTERNATIVE_CLIENT_1 AWS_LAMBDA_NODEJS_WORKER_COUNT
fi

set -- --expose-gc --max-http-header-size 81920 "$@"
set -- "$runtime/bin/node" "$@" --import "$runtime/node-path.mjs" "$runtime/index.mjs"

# A wrapper script, as AWS has them: it is given the command and is to run it.
wrapper=${AWS_LAMBDA_EXEC_WRAPPER:-}
if [ -n "$wrapper" ] && [ ! -f "$wrapper" ]; then
    echo "$wrapper: does not exist"
    exit 127
elif [ -n "$wrapper" ] && [ ! -x "$wrapper" ]; then
    echo "$wrapper: is not an executable"
    exit 126
elif [ -n "$wrapper" ]; then
    exec "$wrapper" "$@"
fi
exec "$@"
