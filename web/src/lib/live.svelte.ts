// Keeps a page's data fresh: one question at a time, and the next when the feed of events says that
// something changed, `everyMs` after the last answer at the earliest. Without the feed it asks by
// itself, later and later while there is no answer; a hidden page asks nothing.
import { untrack } from "svelte";
import { ApiError } from "./api";
import { contact, feed } from "./events.svelte";

const slowestMs = 30_000;

export class Live<T> {
  data = $state.raw<T | undefined>(undefined);
  error = $state<ApiError | undefined>(undefined);
  loading = $state(false);
  at = $state(0); // when data came
  private timer: ReturnType<typeof setTimeout> | undefined;
  private abort: AbortController | undefined;
  private failures = 0;
  private stamp = 0; // of the feed, when the last question was asked
  private due = false; // its time has come, and nothing has changed
  private again: () => void = () => {};

  // To be made while a component starts. `ask` is asked anew whenever state that it reads before
  // its first await changes.
  constructor(ask: (signal: AbortSignal) => Promise<T>, everyMs: () => number = () => 5_000) {
    $effect(() => {
      const run = () => {
        clearTimeout(this.timer);
        this.abort?.abort();
        const abort = (this.abort = new AbortController());
        const limit = setTimeout(() => abort.abort("slow"), 20_000);
        this.due = false;
        this.stamp = untrack(() => feed.stamp);
        const question = ask(abort.signal);
        untrack(() => (this.loading = true));
        question
          .then((data) => {
            if (abort !== this.abort) return;
            this.data = data;
            this.error = undefined;
            this.at = Date.now();
            this.failures = 0;
            contact.told(true, 0);
            this.next(everyMs());
          })
          .catch((problem: unknown) => {
            if (abort !== this.abort) return;
            const error =
              problem instanceof ApiError ? problem : new ApiError(0, "no_answer", String(problem));
            this.error = error;
            this.failures += 1;
            const wait = Math.min(1000 * 2 ** this.failures, slowestMs);
            if (error.status === 0) contact.told(false, wait);
            if (error.status === 0 || error.status >= 500) this.next(wait);
          })
          .finally(() => {
            clearTimeout(limit);
            if (abort === this.abort) this.loading = false;
          });
      };
      this.again = run;
      run();
      const shown = () => {
        if (!document.hidden) this.refresh();
      };
      document.addEventListener("visibilitychange", shown);
      return () => {
        document.removeEventListener("visibilitychange", shown);
        clearTimeout(this.timer);
        this.abort?.abort();
        this.abort = undefined;
      };
    });
    $effect(() => {
      if (feed.stamp !== this.stamp && this.due) this.refresh();
    });
  }

  refresh(): void {
    untrack(() => this.again());
  }

  private next(waitMs: number): void {
    clearTimeout(this.timer);
    if (waitMs <= 0) return;
    this.timer = setTimeout(() => {
      if (document.hidden) return;
      // What moves with the clock alone (a range up to now) is asked for now and then.
      if (feed.online && feed.stamp === this.stamp && Date.now() - this.at < slowestMs) {
        this.due = true;
        this.next(slowestMs);
      } else {
        this.refresh();
      }
    }, waitMs);
  }
}
