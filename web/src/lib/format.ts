// Numbers as the pages show them: few digits, always the same width for the same kind of thing.
import { look } from "./session.svelte";

function locale(): string {
  return look.language === "zh" ? "zh-CN" : "en-US";
}

export function count(value: number): string {
  return value.toLocaleString(locale(), { maximumFractionDigits: 0 });
}

// 1,234 stays; from 10,000 on 12.3k, 4.56M.
export function short(value: number): string {
  const size = Math.abs(value);
  if (size < 10_000) return count(value);
  for (const [unit, name] of [
    [1e12, "T"],
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ] as const) {
    if (size >= unit) return `${(value / unit).toPrecision(3)}${name}`;
  }
  return count(value);
}

// Dollars from their exact text, which keeps every digit that the ledger has.
export function usd(text: string | number): string {
  const value = Number(text);
  const size = Math.abs(value);
  if (size === 0) return "$0.00";
  if (size < 0.0001) return `$${value.toPrecision(2)}`;
  if (size < 1) return `$${value.toFixed(4)}`;
  const digits = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  return `$${value.toLocaleString(locale(), digits)}`;
}

// Microseconds: 0.8 ms, 12.3 ms, 481 ms, 1.24 s, 2 m 5 s.
export function duration(us: number | null | undefined): string {
  if (us === null || us === undefined || us <= 0) return "–";
  const ms = us / 1000;
  if (ms < 100) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${ms.toFixed(0)} ms`;
  const s = ms / 1000;
  if (s < 10) return `${s.toFixed(2)} s`;
  if (s < 100) return `${s.toFixed(1)} s`;
  return `${Math.floor(s / 60)} m ${Math.round(s % 60)} s`;
}

export function percent(part: number, whole: number): string {
  if (whole === 0) return "–";
  const value = (100 * part) / whole;
  if (value === 0) return "0 %";
  return `${value < 0.1 ? value.toFixed(2) : value < 10 ? value.toFixed(1) : value.toFixed(0)} %`;
}

export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  let size = value / 1024;
  for (const unit of ["KiB", "MiB", "GiB"]) {
    if (size < 1024) return `${size.toFixed(1)} ${unit}`;
    size /= 1024;
  }
  return `${size.toFixed(1)} TiB`;
}

export function clock(ms: number, withMs = false): string {
  const at = new Date(ms);
  const two = (value: number) => String(value).padStart(2, "0");
  const text = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return withMs ? `${text}.${String(at.getMilliseconds()).padStart(3, "0")}` : text;
}

export function day(ms: number): string {
  return new Date(ms).toLocaleDateString(locale(), { month: "short", day: "numeric" });
}

export function dateTime(ms: number): string {
  const at = new Date(ms);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock(ms)}`;
}

export function ago(ms: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - ms) / 1000));
  const format = new Intl.RelativeTimeFormat(locale(), { numeric: "always", style: "narrow" });
  if (seconds < 60) return format.format(-seconds, "second");
  if (seconds < 3600) return format.format(-Math.round(seconds / 60), "minute");
  if (seconds < 86_400) return format.format(-Math.round(seconds / 3600), "hour");
  return format.format(-Math.round(seconds / 86_400), "day");
}

// Text from outside, made visible: control characters as their pictures (ESC as ␛), overrides of
// the writing direction as their code points, and no more than `most` characters. Line ends stay
// where `lines` is set.
export function visible(text: string, most = 200, lines = false): string {
  const cut = text.length > most ? `${text.slice(0, most)}…` : text;
  return cut.replace(
    // eslint-disable-next-line no-control-regex
    /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (c) => {
      const code = c.charCodeAt(0);
      if (lines && (c === "\n" || c === "\t")) return c;
      if (code < 0x20) return String.fromCharCode(0x2400 + code);
      if (code === 0x7f) return "\u2421";
      return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
    },
  );
}
