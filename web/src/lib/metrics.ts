// /metrics, summed by name, and the counters of it that say that something was lost or refused.
// docs/operations.md says what each means.
export const alarming = [
  "weir_ledger_rows_dropped_total",
  "weir_ledger_rows_refused_total",
  "weir_log_lines_dropped_total",
  "weir_refused_memory_total",
  "weir_retries_refused_total",
  "weir_drains_refused_total",
  "weir_captures_cut_total",
  "weir_unpriced_requests_total",
  "weir_state_dropped_total",
  "weir_state_errors_total",
] as const;

export function readMetrics(text: string): Map<string, number> {
  const sums = new Map<string, number>();
  for (const line of text.split("\n")) {
    const found = /^([a-z_]+)(?:\{.*\})? (-?[0-9.e+]+)$/i.exec(line);
    if (found?.[1] === undefined) continue;
    sums.set(found[1], (sums.get(found[1]) ?? 0) + Number(found[2]));
  }
  return sums;
}
