// A browser with a cookie jar for each origin: follows redirects from Weir to the provider and
// back.
export class Browser {
  constructor() {
    this.jars = new Map();
  }

  // `onPage` answers a page of the provider that asks who signs in: returns a URL to go on with.
  async visit(url, { follow = true } = {}) {
    for (let hops = 0; hops < 20; ++hops) {
      const answer = await this.get(url);
      const location = answer.headers.get("location");
      if (!follow || location === null || answer.status < 300 || answer.status > 399) {
        return { url, answer, status: answer.status, location };
      }
      await answer.arrayBuffer();
      url = new URL(location, url).href;
    }
    throw new Error("redirects without end");
  }

  async get(url, headers = {}) {
    const { origin } = new URL(url);
    if (!this.jars.has(origin)) this.jars.set(origin, new Map());
    const jar = this.jars.get(origin);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await fetch(url, {
      redirect: "manual",
      headers: { ...headers, ...(cookie === "" ? {} : { cookie }) },
    });
    for (const line of answer.headers.getSetCookie()) {
      const [pair, ...attributes] = line.split(";").map((part) => part.trim());
      const equals = pair.indexOf("=");
      const name = pair.slice(0, equals);
      const gone = attributes.some((part) => /^max-age=0$/i.test(part)) || pair.endsWith("=");
      gone ? jar.delete(name) : jar.set(name, pair.slice(equals + 1));
    }
    return answer;
  }

  cookies(url) {
    return this.jars.get(new URL(url).origin) ?? new Map();
  }
}

// weir.yaml for a provider.
export function configuration(issuer, more = "") {
  return `
server: {listen: "127.0.0.1:0"}
admin:
  listen: "127.0.0.1:0"
  token: "\${ADMIN_TOKEN}"
  oidc:
    issuer: "${issuer}"
    client_id: weir
    client_secret: a-secret-of-the-client
    roles: {weir-admins: admin, accounting: "finance,viewer"}
${more}
accounts: [{name: up, provider: openai_compatible, endpoint: "\${UPSTREAM}"}]
models: [{name: m, deployments: [{account: up}]}]
`;
}
