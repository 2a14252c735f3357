// Where the visitor is: the path, and in the query what the page shows, so that a link or a reload
// brings the same view back.
class Place {
  path = $state(location.pathname);
  query = $state(new URLSearchParams(location.search));

  constructor() {
    addEventListener("popstate", () => this.read());
  }
  private read(): void {
    this.path = location.pathname;
    this.query = new URLSearchParams(location.search);
  }
  go(target: string): void {
    history.pushState(null, "", target);
    this.read();
  }
  // Changes query members of this page; empty ones are left out. Adds no step to the history
  // unless asked to.
  set(changes: Record<string, string>, push = false): void {
    const query = new URLSearchParams(this.query);
    for (const [name, value] of Object.entries(changes)) {
      if (value === "") query.delete(name);
      else query.set(name, value);
    }
    const text = query.toString();
    const target = this.path + (text === "" ? "" : `?${text}`);
    if (push) history.pushState(null, "", target);
    else history.replaceState(null, "", target);
    this.query = query;
  }
  get(name: string): string {
    return this.query.get(name) ?? "";
  }
}

export const place = new Place();

// Members of the query that go along from page to page.
const kept = ["range", "since", "until"];

export function link(path: string, query: Record<string, string> = {}): string {
  const pairs = new URLSearchParams();
  for (const name of kept) {
    const value = place.query.get(name);
    if (value !== null) pairs.set(name, value);
  }
  for (const [name, value] of Object.entries(query)) pairs.set(name, value);
  const text = pairs.toString();
  return path + (text === "" ? "" : `?${text}`);
}

// For <a onclick>: plain clicks stay in the page, all others are the browser's.
export function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const anchor = (event.currentTarget as HTMLElement).closest("a");
  if (anchor === null || anchor.target !== "") return;
  event.preventDefault();
  place.go(anchor.getAttribute("href") ?? "/");
}
