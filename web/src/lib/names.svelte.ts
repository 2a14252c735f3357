// Names of keys: the ledger has their ids. To be made while a component starts.
import { call, type Key } from "./api";
import { Live } from "./live.svelte";

export class KeyNames {
  private keys = new Live<{ keys: Key[] }>(
    (signal) => call("/api/v1/keys", { signal }),
    () => 60_000,
  );
  private byId = $derived(new Map((this.keys.data?.keys ?? []).map((key) => [key.id, key.name])));

  of(id: string): string {
    return this.byId.get(id) ?? id;
  }
}
