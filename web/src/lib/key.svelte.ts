// The virtual key that the playground and the first run call with. It stays in the browser's tab.
import { call, type Key } from "./api";

const place = "weir.key";

class OwnKey {
  secret = $state(sessionStorage.getItem(place) ?? "");

  use(secret: string): void {
    this.secret = secret;
    sessionStorage.setItem(place, secret);
  }
  // A new one, for so many hours.
  async make(name: string, hours: number): Promise<Key> {
    const expires = new Date(Date.now() + hours * 3_600_000).toISOString();
    const key = await call<Key>("/api/v1/keys", {
      method: "POST",
      body: { name, ...(hours > 0 ? { expires } : {}) },
    });
    this.use(key.key ?? "");
    return key;
  }
}

export const ownKey = new OwnKey();
