// ES modules are found in NODE_PATH too, after the function's own node_modules, as CommonJS
// ones are: Node.js looks there only for require(), AWS's runtime for both.
import { registerHooks } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

// A package is looked for beside a module that would stand next to each node_modules.
const neighbours = (process.env.NODE_PATH ?? '')
  .split(delimiter)
  .filter((path) => path.endsWith('/node_modules'))
  .map((path) => pathToFileURL(join(dirname(path), 'x.mjs')).href);

const isPackage = (specifier) => !/^(\.{0,2}\/|[a-z]+:)/.test(specifier);

function resolve(specifier, context, nextResolve) {
  try {
    return nextResolve(specifier, context);
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND' || !isPackage(specifier)) {
      throw error;
    }
    for (const parentURL of neighbours) {
      try {
        return nextResolve(specifier, { ...context, parentURL });
      } catch (other) {
        if (other.code !== 'ERR_MODULE_NOT_FOUND') {
          throw other;
        }
      }
    }
    throw error;
  }
}

registerHooks({ resolve });
