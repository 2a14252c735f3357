// Texts in the visitor's language. `t` may stand in markup: it changes with the language.
import { messages, type MessageName } from "./messages";
import { look } from "./session.svelte";

export type { MessageName };

export function t(name: MessageName, values: Record<string, string | number> = {}): string {
  const text = messages[name][look.language === "zh" ? 1 : 0];
  return text.replace(/\{(\w+)\}/g, (whole, key: string) => String(values[key] ?? whole));
}
