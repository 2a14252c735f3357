// Sums of money as the ledger's own integers, and calendar ranges as budgets count them: UTC.
import type { Row, Sums } from "./api";
import { usd } from "./format";
import { t } from "./i18n";

export function dayStart(now: number): number {
  return now - (now % 86_400_000);
}

export function monthStart(now: number, back = 0): number {
  const at = new Date(now);
  return Date.UTC(at.getUTCFullYear(), at.getUTCMonth() - back, 1);
}

// The share of this month that is over.
export function monthElapsed(now: number): number {
  const begin = monthStart(now);
  return (now - begin) / (monthStart(now, -1) - begin);
}

// What a request cost, as every page shows it: "~" before an estimate.
export function costText(row: Row): string {
  if (row.cost_state === "unpriced") return t("cost.unpriced");
  return `${row.cost_state === "estimated" ? "~" : ""}${usd(row.cost_usd)}`;
}

export function total(sums: readonly Sums[]): number {
  return sums.reduce((sum, entry) => sum + entry.cost_nano_usd, 0) / 1e9;
}

// A field of CSV: quoted where it must be, and never a formula for a spreadsheet.
export function csvField(value: string | number): string {
  const text =
    typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
