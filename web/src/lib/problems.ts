// What the server says about a configuration, by field: "accounts[5].limits.rpm: expected …" stands
// at the field limits.rpm. What belongs to no field stays above the form.
import { ApiError } from "./api";

export class Problems {
  readonly fields = new Map<string, string>();
  readonly others: string[] = [];

  constructor(error: unknown, section: string) {
    if (error === undefined) return;
    const text = error instanceof ApiError ? error.message : String(error);
    const of = new RegExp(`^(?:.*? error: )?${section}\\[\\d+\\]\\.([\\w.\\[\\]-]+): (.*)$`);
    const bare = /^([a-z_]+(?:[.[][\w.[\]-]*)?): (.*)$/;
    for (const line of text.split("\n")) {
      const told = line.replace(/ \[[a-z_]+\]$/, "").trim();
      if (told === "") continue;
      const found = of.exec(told) ?? bare.exec(told);
      const [field, what] = [found?.[1], found?.[2]];
      if (field === undefined || what === undefined) this.others.push(told);
      else if (!this.fields.has(field)) this.fields.set(field, what);
    }
  }
  at(field: string): string {
    return this.fields.get(field) ?? "";
  }
  // Those of fields that the form does not show.
  beside(shown: readonly string[]): string[] {
    const left = [...this.fields].filter(([field]) => !shown.includes(field));
    return [...this.others, ...left.map(([field, what]) => `${field}: ${what}`)];
  }
}
