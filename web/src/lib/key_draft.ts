// A virtual key as its form holds it, in texts, and what of it a request says: only what differs
// from the key as it was, so that nothing is lost that the form cannot show.
import { ApiError, type Key, type Schemas } from "./api";
import { Problems } from "./problems";

export const rateNames = ["rpm", "tpm", "concurrency"] as const;
export type RateName = (typeof rateNames)[number];
export type Rates = Record<RateName, string>;
export interface BudgetDraft {
  id: number;
  usd: string;
  per: string;
  days: string;
  hard: boolean;
}
export interface ModelDraft extends Rates {
  id: number;
  model: string;
}
export interface TagDraft {
  id: number;
  name: string;
  value: string;
}
export interface KeyDraft {
  name: string;
  team: string;
  project: string;
  owner: string;
  models: string;
  endpoints: string;
  addresses: string;
  priority: string; // "": as usual
  expires: string; // a day
  capture: string; // "", "keep" or "never"
  limits: Rates;
  user_limits: Rates;
  model_limits: ModelDraft[];
  budgets: BudgetDraft[];
  tags: TagDraft[];
}

let lastId = 0;
const nextId = () => (lastId += 1);
const digits = (value: number | null | undefined) => (value ? String(value) : "");
const rates = (of: Schemas["Limits"] | undefined): Rates => ({
  rpm: digits(of?.rpm),
  tpm: digits(of?.tpm),
  concurrency: digits(of?.concurrency),
});
export const blankBudget = (): BudgetDraft => ({
  id: nextId(),
  usd: "",
  per: "month",
  days: "",
  hard: true,
});
export const blankModel = (): ModelDraft => ({ id: nextId(), model: "", ...rates(undefined) });
export const blankTag = (): TagDraft => ({ id: nextId(), name: "", value: "" });

export function draftOf(key: Key | undefined): KeyDraft {
  const budgets = (key?.budgets ?? []).map((one) => ({
    id: nextId(),
    usd: one.usd,
    per: one.per,
    days: digits(one.days),
    hard: one.hard,
  }));
  return {
    name: key?.name ?? "",
    team: key?.team ?? "",
    project: key?.project ?? "",
    owner: key?.owner ?? "",
    models: (key?.models ?? []).join(", "),
    endpoints: (key?.endpoints ?? []).join(", "),
    addresses: (key?.addresses ?? []).join(", "),
    priority: key?.priority ?? "",
    expires: key?.expires?.slice(0, 10) ?? "",
    capture: key?.capture ? "keep" : key?.capture_refused ? "never" : "",
    limits: rates(key?.limits),
    user_limits: rates(key?.user_limits),
    model_limits: (key?.model_limits ?? []).map((one) => ({
      id: nextId(),
      model: one.model,
      ...rates(one),
    })),
    budgets: budgets.length > 0 ? budgets : [blankBudget()],
    tags: Object.entries(key?.tags ?? {}).map(([name, value]) => ({ id: nextId(), name, value })),
  };
}

const listOf = (text: string) =>
  text
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "");
// What is no number goes as it was typed: the server says what is wrong with it.
function whole(text: string): number | string | null {
  const typed = text.trim();
  if (typed === "") return null;
  return /^\d{1,15}$/.test(typed) ? Number(typed) : typed;
}
const isWhole = (text: string) => /^\d{1,15}$/.test(text.trim()) && Number(text) > 0;
const isAmount = (text: string) => Number(text) > 0;

const budgetsOf = (draft: KeyDraft) =>
  draft.budgets
    .filter((one) => one.usd.trim() !== "")
    .map((one) => ({
      usd: one.usd.trim(),
      per: one.per,
      ...(one.per === "rolling" && one.days.trim() !== "" ? { days: whole(one.days) } : {}),
      hard: one.hard,
    }));
const modelLimitsOf = (draft: KeyDraft) =>
  draft.model_limits
    .filter((one) => [one.model, ...rateNames.map((name) => one[name])].some((text) => text.trim()))
    .map((one) => ({
      model: one.model,
      ...Object.fromEntries(
        rateNames.filter((name) => one[name].trim() !== "").map((name) => [name, whole(one[name])]),
      ),
    }));
const tagsOf = (draft: KeyDraft) =>
  new Map(draft.tags.filter((one) => one.name !== "").map((one) => [one.name, one.value]));
const differ = (one: unknown, other: unknown) => JSON.stringify(one) !== JSON.stringify(other);

// The body that makes `draft` of `before`: of a blank draft, the one that makes the key.
export function changesOf(draft: KeyDraft, before: KeyDraft): Record<string, unknown> {
  const made: Record<string, unknown> = {};
  if (draft.name !== before.name) made["name"] = draft.name.trim();
  for (const field of ["team", "project", "owner", "priority"] as const) {
    if (draft[field] !== before[field]) made[field] = draft[field].trim() || null;
  }
  for (const field of ["models", "endpoints", "addresses"] as const) {
    if (draft[field] !== before[field]) made[field] = listOf(draft[field]);
  }
  for (const group of ["limits", "user_limits"] as const) {
    const changed = rateNames.filter((name) => draft[group][name] !== before[group][name]);
    if (changed.length === 0) continue;
    made[group] = Object.fromEntries(changed.map((name) => [name, whole(draft[group][name])]));
  }
  if (differ(modelLimitsOf(draft), modelLimitsOf(before))) {
    made["model_limits"] = modelLimitsOf(draft);
  }
  if (differ(budgetsOf(draft), budgetsOf(before))) made["budgets"] = budgetsOf(draft);
  if (draft.expires !== before.expires) {
    made["expires"] = draft.expires === "" ? null : `${draft.expires}T00:00:00Z`;
  }
  if (draft.capture !== before.capture) {
    made["capture"] = draft.capture === "keep";
    made["capture_refused"] = draft.capture === "never";
  }
  const [tags, old] = [tagsOf(draft), tagsOf(before)];
  const changed = [...tags].filter(([name, value]) => old.get(name) !== value);
  const gone = [...old.keys()].filter((name) => !tags.has(name));
  if (changed.length + gone.length > 0) {
    made["tags"] = Object.fromEntries([...changed, ...gone.map((name) => [name, null] as const)]);
  }
  return made;
}

// The server names a limit and not the object or row it stands in: its place is the first that it
// can be about, in the order in which the server reads.
function placeOf(field: string, draft: KeyDraft): string {
  const rate = rateNames.find((name) => name === field);
  if (rate !== undefined) {
    const wrong = (of: Rates) => of[rate].trim() !== "" && !isWhole(of[rate]);
    for (const group of ["limits", "user_limits"] as const) {
      if (wrong(draft[group])) return `${group}.${rate}`;
    }
    const row = draft.model_limits.findIndex(wrong);
    return row < 0 ? field : `model_limits[${row}].${rate}`;
  }
  if (field === "model_limits" || field === "model") {
    const row = draft.model_limits.findIndex(
      (one) => one.model.trim() === "" || new TextEncoder().encode(one.model).length > 128,
    );
    return row < 0 ? "model_limits" : `model_limits[${row}].model`;
  }
  if (field === "budgets.usd") {
    const row = draft.budgets.findIndex((one) => one.usd.trim() !== "" && !isAmount(one.usd));
    return row < 0 ? "budgets" : `budgets[${row}].usd`;
  }
  return field;
}

export function keyProblems(error: unknown, draft: KeyDraft): Problems {
  const problems = new Problems(error, "keys");
  for (const [field, what] of [...problems.fields]) {
    problems.fields.delete(field);
    problems.fields.set(placeOf(field, draft), what);
  }
  const isTaken = error instanceof ApiError && error.code === "already_exists";
  if (isTaken && problems.fields.size === 0) {
    problems.fields.set("name", problems.others.splice(0).join(" "));
  }
  return problems;
}
