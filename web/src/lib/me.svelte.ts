// Who asks, and what they may do: pages leave out or disable what would be refused. Until the
// answer is there everything counts as allowed; the server decides in any case.
import { call, type Schemas } from "./api";
import { t } from "./i18n";
import { session } from "./session.svelte";

class Me {
  known = $state.raw<Schemas["Me"] | undefined>(undefined);
  private permissions = $derived(
    this.known === undefined ? undefined : new Set(this.known.permissions),
  );

  async load(): Promise<void> {
    try {
      const me = await call<Schemas["Me"]>("/api/v1/me");
      this.known = me;
      // A session's cookie is not ours to read; what goes with it is told.
      if (session.token === "" && me.csrf) session.welcome(me.csrf);
    } catch {
      this.known = undefined; // the page itself says what is wrong
    }
  }
  forget(): void {
    this.known = undefined;
  }
  may(permission: string): boolean {
    return this.permissions?.has(permission) ?? true;
  }
  // For a button's title: why it is disabled.
  denied(permission: string): string | undefined {
    return this.may(permission) ? undefined : t("denied", { permission });
  }
}

export const me = new Me();
