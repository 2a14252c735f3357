// The admin API. Types come from its document; a failure is an ApiError that says what to do.
import type { components } from "./api-types";
import { session } from "./session.svelte";

export type Schemas = components["schemas"];
export type Overview = Schemas["Overview"];
export type Model = Schemas["Model"];
export type Deployment = Schemas["Deployment"];
export type Row = Schemas["Row"];
export type Sums = Schemas["Sums"];
export type Key = Schemas["Key"];
export type Status = Schemas["Status"];

export class ApiError extends Error {
  constructor(
    readonly status: number, // 0: no answer
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export type Query = Record<string, string | number | undefined>;

export function queryText(query: Query): string {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") pairs.set(name, String(value));
  }
  const text = pairs.toString();
  return text === "" ? "" : `?${text}`;
}

export function authorization(): Record<string, string> {
  return session.token === "" ? {} : { authorization: `Bearer ${session.token}` };
}

interface CallOptions {
  method?: string;
  body?: unknown;
  query?: Query;
  signal?: AbortSignal;
}

export async function call<T>(path: string, options: CallOptions = {}): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path + queryText(options.query ?? {}), {
      method: options.method ?? "GET",
      headers: {
        ...authorization(),
        ...(session.csrf === "" ? {} : { "x-weir-csrf": session.csrf }),
        ...(options.body === undefined ? {} : { "content-type": "application/json" }),
      },
      body: options.body === undefined ? null : JSON.stringify(options.body),
      signal: options.signal ?? AbortSignal.timeout(20_000),
    });
  } catch (problem) {
    if (problem instanceof DOMException && problem.name === "AbortError") throw problem;
    throw new ApiError(0, "no_answer", "");
  }
  let body: unknown;
  try {
    body = await answer.json();
  } catch {
    throw new ApiError(answer.status, "no_json", `HTTP ${answer.status}`);
  }
  if (answer.ok) return body as T;
  const told = (body as Partial<Schemas["Error"]>).error;
  if (answer.status === 401 && path !== "/api/v1/sign_in") session.refuse();
  throw new ApiError(answer.status, told?.code ?? "", told?.message ?? `HTTP ${answer.status}`);
}
