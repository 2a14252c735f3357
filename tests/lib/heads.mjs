// The head of the response to the call that runs, which not every SDK gives to its caller.
import { AsyncLocalStorage } from "node:async_hooks";

const heads = new AsyncLocalStorage();
const plainFetch = globalThis.fetch;
globalThis.fetch = async (...args) => {
  const response = await plainFetch(...args);
  const head = heads.getStore();
  if (head) Object.assign(head, { status: response.status, headers: response.headers });
  return response;
};

// What `call` gives or throws, and the head of its response: { answer or error, head }.
export function withHead(call) {
  const head = {};
  return heads.run(head, async () => {
    try {
      return { answer: await call(), head };
    } catch (error) {
      return { error, head };
    }
  });
}
