// The feed of events (GET /api/v1/events): one stream per visible tab tells that there is something
// new to ask for. When it breaks it is opened again after a while, twice as long each time.
import { authorization } from "./api";
import { session } from "./session.svelte";

const slowestMs = 30_000;

// Whether the control plane answers at all: the feed and every Live tell it, the shell shows it.
class Contact {
  lostAt = $state(0); // 0: it answers
  retryAt = $state(0);
  told(answers: boolean, retryMs: number): void {
    if (answers) {
      this.lostAt = 0;
    } else {
      if (this.lostAt === 0) this.lostAt = Date.now();
      this.retryAt = Date.now() + retryMs;
    }
  }
}
export const contact = new Contact();

// How far a job is, as the feed tells it.
export interface JobNews {
  id: string;
  state: string;
  done: number;
  total: number;
}
const jobsMax = 200;

class Feed {
  online = $state(false);
  // The newest of each job; how many run.
  jobs = $state.raw<ReadonlyMap<string, JobNews>>(new Map());
  running = $derived([...this.jobs.values()].filter((job) => job.state === "running").length);
  // Goes up with every event, and when the stream is there again.
  stamp = $state(0);
  private abort: AbortController | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private failures = 0;

  // Once, by the shell.
  start(): void {
    document.addEventListener("visibilitychange", () => this.open());
    this.open();
  }

  open(): void {
    clearTimeout(this.timer);
    this.abort?.abort();
    this.abort = undefined;
    this.online = false;
    if (!document.hidden && !session.refused) void this.listen();
  }

  private job(event: string): void {
    const found = /^event: job\ndata: (.*)$/.exec(event);
    if (found?.[1] === undefined) return;
    try {
      const news = JSON.parse(found[1]) as JobNews;
      this.jobs = new Map([...this.jobs, [news.id, news] as const].slice(-jobsMax));
    } catch {
      // Not understood: the list of jobs has it.
    }
  }

  private async listen(): Promise<void> {
    const abort = (this.abort = new AbortController());
    try {
      const answer = await fetch("/api/v1/events", {
        headers: authorization(),
        signal: abort.signal,
      });
      if (answer.status === 401) return session.refuse();
      if (!answer.ok || answer.body === null) throw new Error(`HTTP ${answer.status}`);
      this.online = true;
      this.failures = 0;
      contact.told(true, 0);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ""; ; ) {
        const { done, value } = await reader.read();
        if (done) {
          // A stream has an end, so that who may no longer listen does not.
          if (abort === this.abort) this.open();
          return;
        }
        const events = (rest + value).split("\n\n");
        rest = events.pop() ?? "";
        if (events.some((event) => event.startsWith("event: changed"))) this.stamp += 1;
        for (const event of events) this.job(event);
      }
    } catch {
      // Told below: to the visitor it is the same whether it broke or never was.
    }
    if (abort !== this.abort) return;
    this.online = false;
    this.failures += 1;
    const wait = Math.min(500 * 2 ** this.failures, slowestMs) * (0.75 + Math.random() / 2);
    contact.told(false, wait);
    this.timer = setTimeout(() => this.open(), wait);
  }
}
export const feed = new Feed();
