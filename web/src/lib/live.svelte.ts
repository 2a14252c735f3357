// Keeps a page's data fresh by one question at a time: the next is asked a while after the last was
// answered, later and later while there is no answer, and none while the page is hidden.
import { untrack } from "svelte";
import { ApiError } from "./api";

const slowestMs = 30_000;

// Whether the control plane answers at all: every Live tells it, the shell shows it.
class Contact {
  lostAt = $state(0); // 0: it answers
  retryAt = $state(0);
  wake = 0; // counts "try again now"
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

export class Live<T> {
  data = $state.raw<T | undefined>(undefined);
  error = $state<ApiError | undefined>(undefined);
  loading = $state(false);
  at = $state(0); // when data came
  private timer: ReturnType<typeof setTimeout> | undefined;
  private abort: AbortController | undefined;
  private failures = 0;
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
            contact.told(error.status !== 0, wait);
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
  }

  refresh(): void {
    untrack(() => this.again());
  }

  private next(waitMs: number): void {
    clearTimeout(this.timer);
    if (waitMs <= 0) return;
    this.timer = setTimeout(() => {
      if (!document.hidden) this.refresh();
    }, waitMs);
  }
}
