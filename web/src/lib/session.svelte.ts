// Who asks, and how the page looks. The token lives as long as the browser's tab; theme and
// language are remembered.
export type Theme = "system" | "light" | "dark";
export type Language = "en" | "zh";

function stored(name: string): string {
  try {
    return localStorage.getItem(name) ?? "";
  } catch {
    return "";
  }
}

function store(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Private windows may refuse; then it is not remembered.
  }
}

class Session {
  token = $state(sessionStorage.getItem("weir.token") ?? "");
  // What changes need beside a session's cookie; empty without one.
  csrf = $state("");
  // The server wants a token, and has refused the one there is, if any.
  refused = $state(false);

  signIn(token: string): void {
    this.token = token;
    this.refused = false;
    sessionStorage.setItem("weir.token", token);
  }
  // By a session's cookie, which the browser keeps.
  welcome(csrf: string): void {
    this.csrf = csrf;
    this.refused = false;
  }
  refuse(): void {
    this.refused = true;
  }
  signOut(): void {
    this.token = "";
    this.csrf = "";
    this.refused = true;
    sessionStorage.removeItem("weir.token");
  }
}

class Look {
  theme = $state<Theme>((stored("weir.theme") || "system") as Theme);
  language = $state<Language>(
    (stored("weir.language") || (navigator.language.startsWith("zh") ? "zh" : "en")) as Language,
  );
  private systemDark = $state(matchMedia("(prefers-color-scheme: dark)").matches);
  dark = $derived(this.theme === "dark" || (this.theme === "system" && this.systemDark));

  constructor() {
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => {
      this.systemDark = event.matches;
    });
  }
  setTheme(theme: Theme): void {
    this.theme = theme;
    store("weir.theme", theme);
  }
  setLanguage(language: Language): void {
    this.language = language;
    store("weir.language", language);
  }
}

export const session = new Session();
export const look = new Look();
